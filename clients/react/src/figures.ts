// Figures of the server over HTTP, asked for again and again while a component shows them.

import { useMemo } from 'react';
import { useServer } from './provider.js';
import type { Server } from './server.js';
import { Store, useStore } from './store.js';

/** The most errors that are kept. */
const KEPT = 100;
const EVERY_MS = 2_000;

export interface FiguresOptions {
  /** How often to ask, in milliseconds: 2000 if it is missing. */
  readonly interval?: number;
  /** A token of an administrator, where the server wants one; else the provider's is shown. */
  readonly adminToken?: string | undefined;
}

export interface FigureError {
  readonly timestamp: string;
  readonly message: string;
}

export interface Figures<T> {
  /** Null before the first answer. */
  readonly value: T | null;
  /** Why there was no answer, the oldest first. */
  readonly errors: readonly FigureError[];
}

/** What the server says at a path. */
export function useFigures<T>(path: string, { interval = EVERY_MS, adminToken }: FiguresOptions): Figures<T> {
  const server = useServer();
  const store = useMemo(
    () => new FiguresStore<T>(server, path, interval, adminToken),
    [server, path, interval, adminToken],
  );
  return useStore(store);
}

class FiguresStore<T> extends Store<Figures<T>> {
  readonly #ask: () => Promise<Response>;
  readonly #interval: number;

  constructor(server: Server, path: string, interval: number, adminToken: string | undefined) {
    super({ value: null, errors: [] });
    this.#interval = interval;
    this.#ask = () => server.fetch(path, adminToken);
  }

  protected override open(): () => void {
    let [ended, timer]: [boolean, ReturnType<typeof setTimeout> | undefined] = [false, undefined];
    const look = async () => {
      const answer = await this.#look().catch((error: Error) => error);
      if (ended) return;
      if (answer instanceof Error) this.#failed(answer.message);
      else this.change({ value: answer.value, errors: this.read().errors });
      timer = setTimeout(() => void look(), this.#interval);
    };
    void look();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }

  async #look(): Promise<{ value: T }> {
    const response = await this.#ask();
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return { value: (await response.json()) as T };
  }

  #failed(message: string): void {
    const error = { timestamp: new Date().toISOString(), message };
    this.change({ errors: [...this.read().errors.slice(1 - KEPT), error] });
  }
}
