// Waiting for facts. Every wait has a deadline and names what did not come.

import { setTimeout as delay } from 'node:timers/promises';

export const DEADLINE_MS = 30_000;
const LOOK_EVERY_MS = 5;

/** Looks until `probe` answers something truthy, and answers that; `what` may be a function, asked at the end. */
export async function eventually(probe, what) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw late(what);
    await delay(LOOK_EVERY_MS);
  }
}

/** Waits for `promise`. */
export async function within(promise, what) {
  let timer;
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late(what)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function late(what) {
  return new Error(`not within ${DEADLINE_MS} ms: ${typeof what === 'function' ? what() : what}`);
}
