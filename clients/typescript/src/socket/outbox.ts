// Messages that wait for a connection or for their answers: in order, bounded, and each with one outcome.

import { ClosedError, ConnectionLostError, QueueFullError, RefusedError, TimeoutError, type Refusal } from '../errors.js';
import type { OutgoingMessage, QueueOptions, SocketAnswer } from './types.js';

/** How often a command is sent again that was refused for the moment. */
const MAX_RETRIES = 5;
const RETRY_MS = 1_000;

interface Item {
  readonly id: string;
  readonly message: OutgoingMessage;
  readonly size: number;
  /** Whether it has one effect however often it is sent. */
  readonly repeatable: boolean;
  isSent: boolean;
  retries: number;
  timer?: ReturnType<typeof setTimeout>;
  settle(outcome: SocketAnswer | Error): void;
}

export class Outbox {
  readonly #items = new Map<string, Item>();
  readonly #bounds: Required<QueueOptions>;
  readonly #ackTimeoutMs: number;
  readonly #transmit: (message: OutgoingMessage, id: string) => boolean;
  #size = 0;
  /** What was refused for the moment and is sent again. */
  readonly #repeated = new Set<Item>();

  constructor(
    { messages = 256, size = 1_048_576, whenFull = 'reject' }: QueueOptions,
    ackTimeoutMs: number,
    transmit: (message: OutgoingMessage, id: string) => boolean,
  ) {
    this.#bounds = { messages, size, whenFull };
    this.#ackTimeoutMs = ackTimeoutMs;
    this.#transmit = transmit;
  }

  /** Messages without an outcome. */
  get length(): number {
    return this.#items.size;
  }

  /** Takes a message and sends it if it can; the answer, or why there is none. */
  add(id: string, message: OutgoingMessage, repeatable: boolean): Promise<SocketAnswer> {
    return new Promise((resolve, reject) => {
      const size = JSON.stringify(message).length;
      if (this.#items.has(id)) throw new TypeError(`a message with the id ${id} waits for its answer already`);
      const refusal = this.#makeRoom(size);
      if (refusal) return reject(refusal);
      const settle = (outcome: SocketAnswer | Error) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
      const item: Item = { id, message, size, repeatable, isSent: false, retries: 0, settle };
      this.#items.set(id, item);
      this.#size += size;
      this.#send(item);
    });
  }

  /** Sends what waits, in its order. */
  flush(): void {
    for (const item of [...this.#items.values()]) if (!item.isSent) this.#send(item);
  }

  /** The answer to a message came; whether there is such a message. */
  answered(id: string, isOk: boolean, body: Refusal): boolean {
    const item = this.#items.get(id);
    if (!item) return false;
    if (isOk) this.#finish(item, body as unknown as SocketAnswer);
    else if (body.retryable === true && item.repeatable && item.retries < MAX_RETRIES) this.#repeat(item, body);
    else this.#finish(item, new RefusedError(body));
    return true;
  }

  /**
   * The connection is gone. What may be repeated waits for the next one; of anything else that was sent nobody knows. A
   * server that ended the connection for what was sent is not sent it again.
   */
  disconnected(isOurFault: boolean): void {
    this.#repeated.clear();
    for (const item of [...this.#items.values()]) {
      if (!item.isSent) continue;
      clearTimeout(item.timer);
      item.isSent = false;
      if (!item.repeatable || isOurFault) {
        this.#finish(item, new ConnectionLostError(`the connection ended before ${item.message.type} was answered`));
      }
    }
  }

  /** Nothing will be sent any more. */
  close(error: ClosedError): void {
    for (const item of [...this.#items.values()]) this.#finish(item, error);
  }

  #makeRoom(size: number): QueueFullError | undefined {
    const { messages, size: most, whenFull } = this.#bounds;
    const isFull = () => this.#items.size >= messages || this.#size + size > most;
    const full = (what: string) => new QueueFullError(`${what}: ${messages} messages or ${most} characters may wait`);
    while (isFull()) {
      const [oldest] = this.#items.values();
      if (whenFull === 'reject' || !oldest || size > most) return full('the message was not sent');
      this.#finish(oldest, full('the message was given up for a newer one'));
    }
    return undefined;
  }

  #send(item: Item): void {
    // Behind one that is to be sent again, so that it is not overtaken.
    if (this.#repeated.size > 0 && !this.#repeated.has(item)) return;
    if (!this.#transmit(item.message, item.id)) return;
    item.isSent = true;
    item.timer = setTimeout(
      () => this.#finish(item, new TimeoutError(`${item.message.type} was not answered in ${this.#ackTimeoutMs} ms`)),
      this.#ackTimeoutMs,
    );
  }

  #repeat(item: Item, { retryAfterMs }: Refusal): void {
    item.retries += 1;
    this.#repeated.add(item);
    clearTimeout(item.timer);
    const waitMs = retryAfterMs ?? Math.random() * RETRY_MS * 2 ** item.retries;
    // It still counts as sent: a reconnect in between sends it at once.
    item.timer = setTimeout(() => this.#send(item), waitMs);
  }

  #finish(item: Item, outcome: SocketAnswer | Error): void {
    clearTimeout(item.timer);
    if (this.#items.delete(item.id)) this.#size -= item.size;
    item.settle(outcome);
    if (this.#repeated.delete(item) && this.#repeated.size === 0) this.flush();
  }
}
