// Hears a channel over server-sent events, from where it was when it heard it last: an event is forgotten only once it is
// answered, so a worker that dies in between is told of it again.

import { readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const RETRY_MS = [500, 10_000];
/** The server says something every 15 s. */
const SILENCE_MS = 45_000;

export class Listener {
  #options;
  #cursor;
  #end = new AbortController();

  /** `stateFile` keeps the place in the channel over restarts. */
  constructor(options) {
    this.#options = options;
  }

  close() {
    this.#end.abort();
  }

  /** Listens until it is closed. */
  async run() {
    this.#cursor = await this.#savedCursor();
    let failures = 0;
    while (!this.#end.signal.aborted) {
      try {
        await this.#listen(() => (failures = 0));
      } catch (error) {
        if (!this.#end.signal.aborted) console.error(`listening failed: ${error.cause?.message ?? error.message}`);
      }
      const pause = Math.min(RETRY_MS[0] * 2 ** failures, RETRY_MS[1]) * (0.5 + Math.random() / 2);
      failures += 1;
      await delay(pause, undefined, { signal: this.#end.signal }).catch(() => {});
    }
  }

  async #listen(onOpen) {
    const { url, apiKey, channel } = this.#options;
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const stop = () => silence.abort();
    this.#end.signal.addEventListener('abort', stop, { once: true });
    try {
      const response = await fetch(`${url}/api/events?channel=${encodeURIComponent(channel)}`, {
        headers: {
          Accept: 'text/event-stream',
          ...(apiKey && { 'X-API-Key': apiKey }),
          ...(this.#cursor && { 'Last-Event-ID': this.#cursor }),
        },
        signal: silence.signal,
      });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      onOpen();
      this.#options.onOpen?.();
      for await (const message of messages(response.body)) {
        timer = (clearTimeout(timer), setTimeout(() => silence.abort(), SILENCE_MS));
        if (message.data && message.event === 'message') await this.#handle(JSON.parse(message.data));
        if (message.id) await this.#save(message.id);
      }
    } finally {
      clearTimeout(timer);
      this.#end.signal.removeEventListener('abort', stop);
    }
  }

  /** One that cannot be answered is said in the log, and is not in the way of the next. */
  async #handle(event) {
    try {
      await this.#options.onEvent(event);
    } catch (error) {
      console.error(`${event.type} cannot be answered: ${error.message}`);
    }
  }

  async #savedCursor() {
    const { stateFile } = this.#options;
    if (!stateFile) return undefined;
    const saved = await readFile(stateFile, 'utf8').catch(() => '');
    return saved.trim() || undefined;
  }

  async #save(cursor) {
    this.#cursor = cursor;
    const { stateFile } = this.#options;
    if (!stateFile) return;
    await writeFile(`${stateFile}.new`, cursor);
    await rename(`${stateFile}.new`, stateFile);
  }
}

/** The messages of a stream of events: `{event, id, data}`. */
async function* messages(body) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop();
    for (const block of blocks) yield parse(block);
  }
}

function parse(block) {
  const message = { event: 'message', id: undefined, data: '' };
  for (const line of block.split('\n')) {
    const [, field, value] = line.match(/^(\w+):? ?(.*)$/) ?? [];
    if (field === 'data') message.data += message.data ? `\n${value}` : value;
    else if (field === 'event' || field === 'id') message[field] = value;
  }
  return message;
}
