// State outside React that components subscribe to. It is opened by its first subscriber and closed after its last
// one, so that rendering alone (on a server, or twice in StrictMode) opens nothing.

import { useSyncExternalStore } from 'react';
import { RenderLimit } from './renderLimit.js';

export abstract class Store<State> {
  readonly #initial: State;
  #state: State;
  readonly #listeners = new Set<() => void>();
  readonly #limit = new RenderLimit(() => this.#listeners.forEach((listener) => listener()));
  #close: (() => void) | null = null;

  constructor(initial: State) {
    this.#initial = initial;
    this.#state = initial;
  }

  /** Begins the work that changes the state, and returns how to end it. */
  protected abstract open(): () => void;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#close ??= this.open();
    return () => {
      this.#listeners.delete(listener);
      // StrictMode and fast refresh unsubscribe and subscribe again at once: that must not cost a connection.
      queueMicrotask(() => this.#closeIfUnused());
    };
  };

  readonly read = (): State => this.#state;

  /** What a server renders, and what the browser's first render must equal. */
  readonly readInitial = (): State => this.#initial;

  /** Changes the state; components are rendered at once, or with the next frame while changes come too fast. */
  protected change(changed: Partial<State>): void {
    this.#state = { ...this.#state, ...changed };
    this.#limit.request();
  }

  #closeIfUnused(): void {
    if (this.#listeners.size > 0 || !this.#close) return;
    const close = this.#close;
    this.#close = null;
    close();
    this.#limit.cancel();
    this.#state = this.#initial;
  }
}

/** The state of a store; the component is rendered again when it changes. */
export function useStore<State>(store: Store<State>): State {
  return useSyncExternalStore(store.subscribe, store.read, store.readInitial);
}
