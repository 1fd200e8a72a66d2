// A steady stream of events, connections that are cut meanwhile, and what clients must have seen in the end.
//
// The suite has little time: `RECOVERY_CUTS=50 RECOVERY_SECONDS=60 npm test` takes more. `IT_SEED` repeats a plan.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { variant } from './clients.mjs';
import { eventually } from './wait.mjs';

export const CUTS = Number(process.env.RECOVERY_CUTS ?? 10);
export const SECONDS = Number(process.env.RECOVERY_SECONDS ?? 8);

/** The clients that know connection state recovery, over every transport. */
export const RECOVERING = ['4.6', '4.8'].flatMap((version) =>
  ['websocket', 'polling', 'upgrade'].map((transport) => variant(`${version} ${transport}`)),
);

/**
 * Options of clients that are cut at any moment. One whose connection ends after the WebSocket's handshake and before
 * Engine.IO's is not told by its transport, and tries again when this is over, by default after 20 s.
 */
export const IMPATIENT = { timeout: 1_000 };

/** Settings of their server: a client whose WebSocket is cut while it leaves polling for it is told by no transport, only by pings. */
export const OFTEN_PINGED = { PING_INTERVAL: '1s', PING_TIMEOUT: '2s' };

const PAUSE_MS = 20;
const ACK_MS = 1_000;

/** Emits a command until it is accepted; it has one effect. */
export async function persist(client, name, payload) {
  const command = { ...payload, idempotencyKey: randomUUID() };
  let last;
  const accepted = async () => {
    last = await client.socket.timeout(ACK_MS).emitWithAck(name, command).catch(({ message }) => message);
    return last.ok && last;
  };
  return eventually(accepted, () => `${name} to be accepted; the last answer: ${JSON.stringify(last)}`);
}

/** Commands to one project, one after the other, until it is stopped. */
export class Stream {
  #ended;
  #stopped = false;

  constructor(client, projectId) {
    this.#ended = this.#run(client, projectId);
    this.#ended.catch(() => {}); // `stop` tells
  }

  async stop() {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(client, projectId) {
    for (let number = 0; !this.#stopped; number += 1) {
      await persist(client, 'task:create', { projectId, id: `t${number}`, status: 'todo' });
      // Two events in one commit.
      if (number % 3 === 0) await persist(client, 'task:status', { projectId, taskId: `t${number}`, status: 'done' });
      await delay(PAUSE_MS);
    }
  }
}

/** Runs `act` at each of `moments`, in milliseconds from now. */
export async function at(moments, act) {
  const start = performance.now();
  for (const moment of moments) {
    await delay(Math.max(0, start + moment - performance.now()));
    await act();
  }
}

/** Cuts at `CUTS` random moments of the next `SECONDS`. */
export async function cutAtRandom({ proxy, client }, random) {
  const ways = [
    () => eventually(() => proxy.cutOne(random), 'a connection to cut'),
    () => eventually(() => proxy.cut(), 'connections to cut'),
    () => proxy.away(client),
  ];
  await at(random.moments(CUTS, SECONDS * 1_000), () => random.pick(ways)());
}

/** Checks that the client has seen the log, each event once and in order, and nothing else. */
export async function assertSaw(client, log, label) {
  await client.heard(log.length);
  const events = await client.settled();
  const seqs = log.map(({ seq }) => seq);
  assert.deepEqual(seqs, Array.from(log, (_, index) => index + 1));
  assert.deepEqual(events.map(({ payload }) => payload.seq), seqs, label);
  assert.deepEqual(events.map(({ name, payload }) => ({ event: name, seq: payload.seq, payload })), log, label);
  for (const { rest } of events) assert.deepEqual(rest.map((each) => typeof each), ['string'], 'a cursor alone');
}

/** Checks that the client has taken each of its connections, at least `least`, for the session it had. */
export function assertRecovered({ recoveries }, least, label) {
  assert.ok(recoveries.length >= least, `${label}: ${recoveries.length} reconnects, ${least} at least`);
  assert.deepEqual(recoveries, recoveries.map(() => true), label);
}
