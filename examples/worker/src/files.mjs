// What clients have shown of their files, for a while: a test file that was seen once tells which functions have tests.

const MAX_CLIENTS = 200;
const MAX_FILES = 50;
const MAX_BYTES = 64 * 1024 * 1024;

export class Files {
  /** By client, who showed something last at the end; of each its files by name. */
  #clients = new Map();
  #bytes = 0;

  /** Remembers a file; what is said of it without its content is added. */
  remember(clientId, said) {
    const files = this.#clients.get(clientId) ?? new Map();
    this.#clients.delete(clientId);
    this.#clients.set(clientId, files);
    const file = String(said.file ?? said.path ?? '');
    const before = files.get(file);
    const known = { ...before, ...said, file };
    files.delete(file);
    files.set(file, known);
    this.#bytes += size(known) - size(before);
    while (files.size > MAX_FILES) this.#forget(files, files.keys().next().value);
    while (this.#clients.size > MAX_CLIENTS || this.#bytes > MAX_BYTES) this.#forgetClient(this.#clients.keys().next().value);
    return known;
  }

  /** The file that a client means: the one that it names, or else the last one. */
  find(clientId, file) {
    const files = this.#clients.get(clientId);
    return file ? files?.get(file) : [...(files?.values() ?? [])].pop();
  }

  all(clientId) {
    return [...(this.#clients.get(clientId)?.values() ?? [])];
  }

  #forget(files, file) {
    this.#bytes -= size(files.get(file));
    files.delete(file);
  }

  #forgetClient(clientId) {
    const files = this.#clients.get(clientId);
    for (const file of [...files.keys()]) this.#forget(files, file);
    this.#clients.delete(clientId);
  }
}

const size = (known) => (known ? 256 + String(known.content ?? '').length : 0);
