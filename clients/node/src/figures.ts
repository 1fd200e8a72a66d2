// Figures that can be read without waiting: each reading answers what is known, and asks the server if that is old.

import type { Http } from './http.js';

export class Figures<T extends object> {
  readonly #http: Http;
  readonly #path: string;
  readonly #maxAgeMs: number;
  readonly #read: (answer: any) => T;
  #known: T;
  #askedAt = -Infinity;
  #asking: Promise<T> | undefined;

  constructor(http: Http, path: string, maxAgeMs: number, unknown: T, read: (answer: any) => T) {
    this.#http = http;
    this.#path = path;
    this.#maxAgeMs = maxAgeMs;
    this.#known = unknown;
    this.#read = read;
  }

  /** What the server said last; it is asked again for the next reading. */
  get latest(): T {
    if (Date.now() - this.#askedAt >= this.#maxAgeMs) this.fetch().catch(() => {});
    return this.#known;
  }

  /** What the server says now. Readings at the same time share a request. */
  fetch(): Promise<T> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<T> {
    this.#askedAt = Date.now();
    const outcome = await this.#http.get(this.#path);
    if (!('answer' in outcome)) throw outcome.error;
    this.#known = this.#read(outcome.answer);
    return this.#known;
  }
}
