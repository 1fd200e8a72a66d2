// Handlers by name. A handler that throws takes nothing away from the others.

/** Ends a subscription to messages. Calling it again does nothing. */
export type Unsubscribe = () => void;

/** Reports an error outside of the caller's stack, as an event listener of the platform would. */
function report(error: unknown): void {
  setTimeout(() => {
    throw error;
  }, 0);
}

/** Calls a handler; what it throws is reported and goes no further. */
export function call<Args extends unknown[]>(handler: (...args: Args) => unknown, ...args: Args): void {
  try {
    handler(...args);
  } catch (error) {
    report(error);
  }
}

/** Handlers of one kind, by the name that they listen to. */
export class Listeners<Args extends unknown[]> {
  readonly #byName = new Map<string, Set<{ handler: (...args: Args) => unknown }>>();

  /** Adds a handler. The same function may be added twice and is then called twice. */
  add(name: string, handler: (...args: Args) => unknown): Unsubscribe {
    const entry = { handler };
    const entries = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, entries.add(entry));
    return () => {
      entries.delete(entry);
      if (entries.size === 0 && this.#byName.get(name) === entries) this.#byName.delete(name);
    };
  }

  /** Removes one handler of a name, or all of them. */
  remove(name: string, handler?: (...args: Args) => unknown): void {
    if (!handler) this.#byName.delete(name);
    for (const entry of this.#byName.get(name) ?? []) {
      if (entry.handler === handler) this.#byName.get(name)?.delete(entry);
    }
  }

  /** Calls the handlers of a name, in the order in which they were added. */
  emit(name: string, ...args: Args): void {
    for (const { handler } of [...(this.#byName.get(name) ?? [])]) call(handler, ...args);
  }

  clear(): void {
    this.#byName.clear();
  }
}
