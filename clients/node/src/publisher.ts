// Sends messages: those of one channel in their order, each until it is answered, and no more at a time than is allowed.

import { ClosedError, QueueFullError } from './errors.js';
import type { Http, Outcome } from './http.js';
import type { ManagerOptions, Published } from './types.js';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

interface Item {
  readonly channel: string;
  readonly body: string;
  readonly key: string;
  readonly until: number;
  settle(outcome: Published | Error): void;
}

/** Connected clients hear these at once, and nothing is kept: a repetition could not be told. */
const isDirect = (channel: string): boolean => channel === 'broadcast' || channel.startsWith('client:');

export class Publisher {
  readonly #http: Http;
  readonly #bounds: { messages: number; size: number };
  readonly #patienceMs: number;
  readonly #concurrency: number;
  /** What waits, by channel; the first of each is being sent, or waits for its turn. */
  readonly #lanes = new Map<string, Item[]>();
  /** Channels that wait for one of the requests that may run at the same time. */
  readonly #turns: string[] = [];
  /** Keys are this process's own. (Node 18 has no global `crypto`.) */
  readonly #prefix = [Math.random(), Math.random()].map((part) => part.toString(36).slice(2)).join('') + Date.now().toString(36);
  #ids = 0;
  #running = 0;
  #messages = 0;
  #size = 0;
  #isClosed = false;
  #idle: Array<() => void> = [];
  /** Ends waits when the publisher is closed. */
  readonly #stop = new AbortController();

  constructor(http: Http, { queue = {}, patienceMs = 30_000, concurrency = 16 }: ManagerOptions) {
    this.#http = http;
    this.#bounds = { messages: queue.messages ?? 10_000, size: queue.size ?? 16_777_216 };
    this.#patienceMs = patienceMs;
    this.#concurrency = concurrency;
  }

  /** Messages that wait or are on their way. */
  get length(): number {
    return this.#messages;
  }

  /** Takes a message, as it is now: changes of `event` afterwards do not count. */
  publish(channel: string, event: Readonly<Record<string, unknown>>): Promise<Published> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new ClosedError('the manager was closed');
      const body = JSON.stringify({ channel, ...event });
      const { messages, size } = this.#bounds;
      if (this.#messages >= messages || this.#size + body.length > size) {
        throw new QueueFullError(`the message was not taken: ${messages} messages or ${size} characters may wait`);
      }
      this.#messages += 1;
      this.#size += body.length;
      const settle = (outcome: Published | Error) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
      const item = { channel, body, key: `${this.#prefix}-${(this.#ids += 1)}`, until: Date.now() + this.#patienceMs, settle };
      const lane = this.#lanes.get(channel);
      if (lane) lane.push(item);
      else {
        this.#lanes.set(channel, [item]);
        this.#turns.push(channel);
        this.#next();
      }
    });
  }

  /** Resolves when nothing waits. */
  flushed(): Promise<void> {
    return this.#messages === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Takes nothing more. What waits is sent, for `graceMs` at most; then it fails. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    const timer = setTimeout(() => this.#stop.abort(), graceMs);
    await this.flushed();
    clearTimeout(timer);
  }

  #next(): void {
    while (this.#running < this.#concurrency) {
      const channel = this.#turns.shift();
      if (channel === undefined) return;
      this.#running += 1;
      void this.#sendFirst(channel);
    }
  }

  async #sendFirst(channel: string): Promise<void> {
    const lane = this.#lanes.get(channel) as Item[];
    const item = lane[0] as Item;
    item.settle(await this.#send(item));
    lane.shift();
    this.#messages -= 1;
    this.#size -= item.body.length;
    this.#running -= 1;
    // Behind the others that wait: no channel keeps the rest from being sent.
    if (lane.length > 0) this.#turns.push(channel);
    else this.#lanes.delete(channel);
    this.#next();
    if (this.#messages === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #send({ channel, body, key, until }: Item): Promise<Published | Error> {
    const direct = isDirect(channel);
    for (let attempt = 0; ; attempt += 1) {
      if (this.#stop.signal.aborted) return new ClosedError('the manager was closed before the message could be sent');
      const outcome: Outcome<Published> = await this.#http.post('/api/publish', body, direct ? {} : { 'Idempotency-Key': key });
      if ('answer' in outcome) return outcome.answer;
      const { error, retry, afterMs } = outcome;
      if (retry === 'no' || (direct && retry === 'unknown')) return error;
      const waitMs = Math.max(afterMs ?? 0, Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt));
      if (Date.now() + waitMs > until) return error;
      await this.#wait(waitMs);
    }
  }

  #wait(ms: number): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
    });
  }
}
