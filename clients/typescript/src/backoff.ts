// How long to wait before the next attempt: exponential, with full jitter, so that clients that were cut off together do
// not come back together.

/** How a client comes back. */
export interface BackoffOptions {
  /** The bound of the first wait, in milliseconds. 500 if it is missing. */
  readonly minDelayMs?: number;
  /** The bound of every wait, in milliseconds. 30 000 if it is missing. */
  readonly maxDelayMs?: number;
  /** Failed attempts in a row after which the client gives up. No bound if it is missing. */
  readonly maxAttempts?: number;
  /** `full` waits a random part of the bound, `none` the bound itself. */
  readonly jitter?: 'full' | 'none';
}

/** The waits between attempts. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #attempts = 0;

  constructor({ minDelayMs = 500, maxDelayMs = 30_000, maxAttempts = Infinity, jitter = 'full' }: BackoffOptions = {}) {
    this.#options = { minDelayMs, maxDelayMs, maxAttempts, jitter };
  }

  /** Failed attempts since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Counts a failure; the milliseconds to wait, or `undefined` if that was the last attempt. */
  next(): number | undefined {
    const { minDelayMs, maxDelayMs, maxAttempts, jitter } = this.#options;
    if (this.#attempts >= maxAttempts) return undefined;
    const bound = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return jitter === 'full' ? Math.random() * bound : bound;
  }

  /** Begins anew after a success. */
  reset(): void {
    this.#attempts = 0;
  }
}
