// Brings the server's subscriptions in line with what is wanted: after each connection, and whenever something is
// subscribed to or left.

import { ConnectionLostError, RefusedError, type Refusal } from '../errors.js';
import type { Format, Incoming } from './format.js';
import type { Channel, Subscriptions } from './subscriptions.js';
import type { OutgoingMessage, Reset } from './types.js';

/** Channels that one message of `/ws` names at most. */
const CHANNELS_A_MESSAGE = 100;
const RETRY_MS = 1_000;

interface Owner {
  send(message: OutgoingMessage, id: string): boolean;
  cursor(): string | undefined;
  onReset(reset: Reset): void;
  onError(error: Error): void;
}

interface Question {
  readonly channels: readonly Channel[];
  readonly types: readonly string[];
  /** What was unsubscribed from. */
  readonly left?: readonly string[];
  settle(error?: Error): void;
}

export class Restorer {
  readonly #subscriptions: Subscriptions;
  readonly #format: Format;
  readonly #owner: Owner;
  readonly #questions = new Map<string, Question>();
  /** Channels about which the server was asked, and has not answered yet. */
  readonly #asked = new Set<Channel>();
  /** Channels that were left on this connection: what still comes of them is not wanted. */
  readonly #left = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ids = 0;

  constructor(subscriptions: Subscriptions, format: Format, owner: Owner) {
    this.#subscriptions = subscriptions;
    this.#format = format;
    this.#owner = owner;
  }

  isLeft(name: string): boolean {
    return this.#left.has(name);
  }

  /** The server has greeted, and hears of these channels already. */
  connected(heard: readonly string[]): void {
    this.#asked.clear();
    const left = heard.filter((name) => this.#left.has(name));
    this.#left.clear();
    // What is said to a user is heard without a subscription.
    this.#subscriptions.adopt(heard.filter((name) => !left.includes(name) && !name.startsWith('user:')));
    // Types are in the cursor, so what is heard is heard as before.
    const known = new Set(heard);
    this.#subscriptions.reconnected(known);
    for (const channel of this.#subscriptions.channels.values()) {
      if (known.has(channel.name) && !channel.isAdopted && channel.confirmed === undefined && channel.since === undefined) {
        // From the address: everything of it.
        if (channel.types.length === 0) channel.confirm([]);
      }
    }
    if (left.length > 0) void this.leave(left);
    this.#ask();
  }

  disconnected(): void {
    clearTimeout(this.#timer);
    this.#asked.clear();
    const lost = new ConnectionLostError('the connection ended');
    for (const question of [...this.#questions.values()]) if (question.left) question.settle(lost);
    this.#questions.clear();
  }

  close(error: Error): void {
    clearTimeout(this.#timer);
    for (const channel of this.#subscriptions.channels.values()) {
      channel.fail(error);
      channel.confirmed = undefined;
    }
  }

  /** Resolves when the server sends what is wanted of these channels. */
  async cover(names: readonly string[], isConnected: boolean): Promise<void> {
    const channels = names.flatMap((name) => this.#subscriptions.channels.get(name) ?? []);
    const covered = Promise.all(channels.map((channel) => channel.covered()));
    for (const name of names) this.#left.delete(name);
    if (isConnected) this.#ask();
    await covered;
  }

  /** Tells the server that these channels are not wanted any more. */
  async leave(names: readonly string[]): Promise<void> {
    const gone = names.filter((name) => !this.#subscriptions.channels.has(name));
    for (const name of gone) this.#left.add(name);
    const groups = this.#format.name === 'flat' ? (gone.length > 0 ? [gone] : []) : gone.map((name) => [name]);
    await Promise.all(
      groups.map(
        (group) =>
          new Promise<void>((resolve) => {
            const id = this.#nextId();
            const data = this.#format.name === 'flat' ? { channels: group } : { resource: group[0] };
            // Without a connection there is nothing to leave: the next one does not subscribe to it.
            this.#questions.set(id, { channels: [], types: [], left: group, settle: () => resolve() });
            if (!this.#owner.send({ type: 'unsubscribe', ...this.#shaped(data) }, id)) {
              this.#questions.delete(id);
              resolve();
            }
          }),
      ),
    );
  }

  /** Takes an answer; whether it answers a question of this object. */
  answered(id: string, { type, body, message }: Incoming): boolean {
    const question = this.#questions.get(id);
    if (!question) return false;
    this.#questions.delete(id);
    for (const channel of question.channels) this.#asked.delete(channel);
    if (question.left) question.settle();
    else if (type === 'error' || body['ok'] === false) this.#refused(question, body as Refusal);
    else this.#confirmed(question, body, message);
    return true;
  }

  #confirmed({ channels, types }: Question, body: Incoming['body'], message: Reset['message']): void {
    const listed: Array<Record<string, any>> = Array.isArray(body['channels']) ? body['channels'] : [{ ...body, channel: body['resource'] }];
    for (const place of listed) {
      if (place['reset'] !== true) continue;
      this.#owner.onReset({ channel: place['channel'], reason: place['reason'], snapshot: place['snapshot'], message });
    }
    for (const channel of channels) channel.confirm(types);
    this.#ask();
  }

  #refused({ channels }: Question, refusal: Refusal): void {
    if (refusal.retryable === true) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), refusal.retryAfterMs ?? Math.random() * 2 * RETRY_MS);
      return;
    }
    // One of several may be the reason for all: each is asked for by itself.
    if (channels.length > 1) for (const channel of channels) this.#askFor([channel]);
    else for (const channel of channels) this.#giveUp(channel, new RefusedError(refusal));
  }

  #giveUp(channel: Channel, error: RefusedError): void {
    const isAwaited = channel.waiters.length > 0;
    this.#subscriptions.drop(channel.name, error);
    if (!isAwaited) this.#owner.onError(error);
  }

  #ask(): void {
    for (const group of this.#subscriptions.open()) {
      const channels = group.filter((channel) => !this.#asked.has(channel));
      const step = this.#format.name === 'flat' ? CHANNELS_A_MESSAGE : 1;
      for (let at = 0; at < channels.length; at += step) this.#askFor(channels.slice(at, at + step));
    }
  }

  #askFor(channels: readonly Channel[]): void {
    const [first] = channels;
    if (!first) return;
    const { types } = first;
    const since = first.since ?? this.#owner.cursor();
    const id = this.#nextId();
    const names = channels.map(({ name }) => name);
    const data =
      this.#format.name === 'flat'
        ? { channels: names, ...(types.length > 0 && { types }) }
        : { resource: names[0], ...(types.length > 0 && { events: types }) };
    const message = { type: 'subscribe', ...this.#shaped({ ...data, ...beginning(since) }) };
    if (!this.#owner.send(message, id)) return;
    for (const channel of channels) this.#asked.add(channel);
    this.#questions.set(id, { channels, types, settle: () => {} });
  }

  /** `/ws` has the fields beside the type, `/ws/v1` under `data`. */
  #shaped(data: object): object {
    return this.#format.name === 'flat' ? data : { data };
  }

  #nextId(): string {
    return `sub-${(this.#ids += 1)}`;
  }
}

/** Where a subscription begins: after a cursor, or after a seq. */
function beginning(since: string | number | undefined): object {
  if (since === undefined) return {};
  return typeof since === 'number' ? { since } : { cursor: since };
}
