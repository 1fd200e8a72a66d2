// Chance that can be had again: `IT_SEED=<seed>` repeats the plan of a run, which says its seed when it fails.

import { randomInt } from 'node:crypto';

/** Runs a test with a source of random numbers. */
export async function seeded(t, run) {
  const seed = Number(process.env.IT_SEED ?? randomInt(2 ** 32)) >>> 0;
  try {
    await run(new Random(seed));
  } catch (error) {
    t.diagnostic(`replay with IT_SEED=${seed}`);
    throw error;
  }
}

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  /** From 0 up to and without 1 (mulberry32). */
  fraction() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** One of `list`. */
  pick(list) {
    return list[Math.floor(this.fraction() * list.length)];
  }

  /** A source of its own, so that who draws from it doesn't depend on when others draw. */
  fork() {
    return new Random(Math.floor(this.fraction() * 2 ** 32));
  }

  /** `count` moments of the next `span` milliseconds, in order. */
  moments(count, span) {
    return Array.from({ length: count }, () => this.fraction() * span).sort((a, b) => a - b);
  }
}
