// What the attack scripts share: the size of an attack, the memory of the server, and a bystander who must not suffer.
//
// Each `*.attack.mjs` is one kind of attack. `node --test tests/attacks/NAME.attack.mjs` runs the short version, as the
// suite does; with `ATTACK=full` it runs the version whose figures are published. All traffic goes to a server that the
// script starts itself on loopback, is bounded in count and time, and stops by itself.

import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { within } from '../clients/wait.mjs';

export { Server } from '../clients/server.mjs';
export { Plain } from '../clients/sockets.mjs';
export { eventually, within } from '../clients/wait.mjs';

/** Whether the long version runs. */
export const FULL = process.env.ATTACK === 'full';

/** The size of an attack: the first number in the suite, the second by hand. */
export function size(short, full) {
  return FULL ? full : short;
}

/** A value of `/proc/<pid>/status` in MiB: `VmRSS` is the memory now, `VmHWM` the peak since the start. */
export async function memory(server, what = 'VmRSS') {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  return Number(status.match(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm'))[1]) / 1024;
}

/** The processor time that the server has used, in milliseconds. */
export async function processorTime(server) {
  const stat = await readFile(`/proc/${server.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** A TCP connection that writes no faster than the server reads, and notes how it ended. */
export class Raw {
  received = Buffer.alloc(0);
  ended = false;

  static async open(t, server) {
    const raw = new Raw();
    raw.socket = connect(server.port, '127.0.0.1').setMaxListeners(0);
    t.after(() => raw.socket.destroy());
    raw.socket.on('data', (data) => (raw.received = Buffer.concat([raw.received, data]).subarray(-1_048_576)));
    for (const event of ['end', 'close', 'error']) raw.socket.on(event, () => (raw.ended = true));
    await within(once(raw.socket, 'connect'), 'a connection');
    return raw;
  }

  get text() {
    return this.received.toString('latin1');
  }

  /** Writes; answers whether the server took it within `ms`. A server that stops reading lets this be false. */
  async write(data, ms = 1_000) {
    if (this.ended) return false;
    if (this.socket.write(data)) return true;
    const drained = once(this.socket, 'drain').then(() => true, () => false);
    const closed = new Promise((resolve) => this.socket.once('close', () => resolve(false)));
    return Promise.race([drained, closed, delay(ms, false, { ref: false })]);
  }

  destroy() {
    this.socket.destroy();
  }
}

/** A user who does `act` again and again while others attack. */
export class Bystander {
  #times = [];
  #stopped = false;
  #run;

  /** `act` is one thing that a user does; it fails by throwing. */
  static start(act, everyMs = 20) {
    const bystander = new Bystander();
    bystander.#run = bystander.#go(act, everyMs);
    return bystander;
  }

  /** Ends, and answers how long `act` took in milliseconds, and how often it failed. */
  async stop() {
    this.#stopped = true;
    await this.#run;
    const sorted = this.#times.toSorted?.((a, b) => a - b) ?? [...this.#times].sort((a, b) => a - b);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1), failed: this.failed };
  }

  failed = 0;

  async #go(act, everyMs) {
    while (!this.#stopped) {
      const start = performance.now();
      try {
        await act();
      } catch {
        this.failed += 1;
      }
      this.#times.push(performance.now() - start);
      await delay(everyMs);
    }
  }
}

/** Prints figures beside the test's name. */
export function report(t, figures) {
  const text = Object.entries(figures).map(([name, value]) => {
    return `${name} ${typeof value === 'number' ? Math.round(value * 10) / 10 : JSON.stringify(value)}`;
  });
  t.diagnostic(text.join(', '));
}
