// What comes in: each event is delivered once and in order, and where the client stands is remembered.

import { RefusedError } from '../errors.js';
import { bareType, type Format, type Incoming } from './format.js';
import { Positions } from './positions.js';
import type { Restorer } from './restorer.js';
import type { Subscriptions } from './subscriptions.js';
import type { Reset, SocketMessage } from './types.js';

interface Owner {
  /** Hands a message to those who listen to a type, or to `*`. */
  deliver(type: string, message: SocketMessage): void;
  /** Takes the answer to a message of the client's own; whether it is one. */
  answered(incoming: Incoming, id: string): boolean;
  onReset(reset: Reset): void;
  /** The connection's token expires soon. */
  onExpiring(): void;
}

export class Inbox {
  readonly #format: Format;
  readonly #subscriptions: Subscriptions;
  readonly #restorer: Restorer;
  readonly #owner: Owner;
  readonly #positions = new Positions();
  #cursor: string | undefined;

  constructor(cursor: string | undefined, format: Format, subscriptions: Subscriptions, restorer: Restorer, owner: Owner) {
    this.#cursor = cursor;
    this.#format = format;
    this.#subscriptions = subscriptions;
    this.#restorer = restorer;
    this.#owner = owner;
  }

  /** Where the client stands in all that it hears. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Channels that are to be heard from an earlier place on. */
  forget(channels: readonly string[]): void {
    for (const name of channels) this.#positions.forget(name);
  }

  /** A channel, or all of them, begins anew. */
  reset(reset: Reset): void {
    if (reset.channel === undefined) this.#positions.forgetAll();
    else this.#positions.forget(reset.channel);
    this.#owner.onReset(reset);
  }

  take(incoming: Incoming): void {
    const { type, body, answers } = incoming;
    const bare = bareType(type);
    if (bare === 'sessionreset' || bare === 'channelreset' || bare === 'projectreset') return this.#takeReset(incoming, bare);
    if (bare === 'channelaccessrevoked' || bare === 'projectaccessrevoked') this.#revoked(body);
    if (bare === 'authexpiring') this.#owner.onExpiring();
    if (answers !== undefined && !this.#restorer.answered(answers, incoming) && this.#owner.answered(incoming, answers)) return;
    if (incoming.log === undefined || incoming.seq === undefined || this.#isNew(type, incoming.log, incoming.seq)) this.#deliver(incoming);
    // Behind it only once it was delivered.
    this.#moveTo(incoming.cursor);
  }

  #isNew(type: string, log: string, seq: number): boolean {
    if (this.#restorer.isLeft(log)) return false;
    const channel = this.#subscriptions.channels.get(log);
    return (!channel || channel.wants(type)) && this.#positions.advance(log, seq);
  }

  /** A burst is delivered message by message; as a whole those hear it who listen to `batchUpdate`. */
  #deliver({ type, message, body, log }: Incoming): void {
    const gathered = type === 'batchUpdate' && log === undefined ? (body['messages'] as unknown) : undefined;
    if (Array.isArray(gathered)) for (const each of gathered as SocketMessage[]) this.take(this.#format.decode(each));
    else this.#owner.deliver('*', message);
    if (type !== '*') this.#owner.deliver(type, message);
  }

  #moveTo(cursor: string | undefined): void {
    if (cursor !== undefined) this.#cursor = cursor;
  }

  #takeReset(incoming: Incoming, bare: string): void {
    const { body, message } = incoming;
    const data = body['data'] as unknown;
    const said = data !== null && typeof data === 'object' ? { ...body, ...data } : body;
    const isOfAll = bare === 'sessionreset';
    const channel = bare === 'projectreset' ? `project:${said['projectId']}` : (said['channel'] as string | undefined);
    if (isOfAll) this.#cursor = undefined;
    this.#moveTo(incoming.cursor);
    this.#deliver(incoming);
    this.reset({ ...(!isOfAll && channel !== undefined && { channel }), reason: said['reason'], snapshot: said['snapshot'], message });
    // It is not known what the client heard: everything is subscribed to once more.
    if (isOfAll) this.#restorer.connected([]);
  }

  #revoked(body: Readonly<Record<string, any>>): void {
    const name = (body['channel'] as string | undefined) ?? `project:${body['projectId']}`;
    this.#subscriptions.drop(name, new RefusedError({ code: 'forbidden', error: `${name} may not be heard any more` }));
  }
}
