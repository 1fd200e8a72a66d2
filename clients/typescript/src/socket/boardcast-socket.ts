// A plain WebSocket to Boardcast that comes back by itself and misses nothing. What it hears it delivers once and in
// order; what it wants to hear, and what it says while there is no connection, it keeps until there is one.

import { isCommand, isRead } from '../commands.js';
import { ClosedError, ConnectionLostError } from '../errors.js';
import { Listeners, type Unsubscribe } from '../listeners.js';
import { addressOf, optionsIn, serverUrl } from './address.js';
import { packed } from './compression.js';
import type { Ending } from './connection.js';
import { bareType, formatOf, type Format, type Incoming } from './format.js';
import { Inbox } from './inbox.js';
import { Link } from './link.js';
import { Outbox } from './outbox.js';
import { Restorer } from './restorer.js';
import { Subscriptions, wishOf, type Wish } from './subscriptions.js';
import type {
  Dropped, OutgoingMessage, Reset, SocketAnswer, SocketMessage, SocketOptions, SocketState, StateChange, Subscription, SubscriptionRequest,
} from './types.js';

/** Messages about the connection itself. They have no ack, and are of no session. */
const OWN = new Set(['ping', 'pong', 'heartbeat', 'ack', 'error', 'handshake', 'auth_request', 'connect', 'disconnect']);

type Handler = (message: SocketMessage) => unknown;

export class BoardcastSocket {
  readonly #options: SocketOptions;
  readonly #server: URL;
  readonly #format: Format;
  readonly #link: Link;
  readonly #outbox: Outbox;
  readonly #subscriptions = new Subscriptions();
  readonly #restorer: Restorer;
  readonly #inbox: Inbox;
  readonly #messages = new Listeners<[SocketMessage]>();
  readonly #states = new Listeners<[StateChange]>();
  readonly #resets = new Listeners<[Reset]>();
  readonly #drops = new Listeners<[Dropped]>();
  readonly #errors = new Listeners<[Error]>();
  /** Of the ids of messages, which other clients may see. */
  readonly #prefix = [Math.random(), Math.random()].map((part) => part.toString(36).slice(2, 10)).join('');
  #ids = 0;
  #packing: Promise<unknown> = Promise.resolve();
  #session: string | undefined;
  #clientId: string | undefined;
  #opening: { promise: Promise<void>; resolve(): void; reject(error: Error): void } | undefined;

  /** A client of the server at `url`, such as `ws://localhost:8002/ws`. It connects when it is told to. */
  constructor(url: string | URL, options: SocketOptions = {}) {
    this.#server = serverUrl(url);
    this.#options = { ...options, ...optionsIn(this.#server) };
    this.#format = formatOf(this.#server, options.format);
    this.#link = new Link(this.#options, this.#format, {
      address: (token, shows) => this.#address(shows ? token : undefined, shows ? this.#options.apiKey : undefined),
      onState: (change) => this.#states.emit('', change),
      onGreeted: (greeting) => this.#greeted(greeting),
      onIncoming: (incoming) => this.#inbox.take(incoming),
      onLost: (ending) => this.#lost(ending),
      onError: (error) => this.#failed(error),
      onClosed: (error) => this.#ended(error),
    });
    const transmit = (message: OutgoingMessage, id: string) => this.#link.send(this.#encode(message, id));
    this.#outbox = new Outbox(this.#options.queue ?? {}, this.#options.ackTimeoutMs ?? 30_000, transmit);
    this.#restorer = new Restorer(this.#subscriptions, this.#format, {
      send: (message, id) => this.#link.send(this.#format.encode(message, id, undefined)),
      cursor: () => this.#inbox.cursor,
      onReset: (reset) => this.#inbox.reset(reset),
      onError: (error) => this.#failed(error),
    });
    this.#inbox = new Inbox(this.#options.cursor, this.#format, this.#subscriptions, this.#restorer, {
      deliver: (type, message) => this.#messages.emit(type, message),
      answered: (incoming, id) => this.#answered(incoming, id),
      onReset: (reset) => this.#resets.emit('', reset),
      onExpiring: () => void this.#refresh(),
    });
    const { sessionId, channels } = this.#options;
    if (sessionId !== undefined) this.#want(wishOf({ sessionId }));
    if (channels && channels.length > 0) this.#want(wishOf(channels));
  }

  /** Where the client stands in all that it hears. Another client goes on there if it gets it as its option `cursor`. */
  get cursor(): string | undefined {
    return this.#inbox.cursor;
  }

  get state(): SocketState {
    return this.#link.state;
  }

  get isConnected(): boolean {
    return this.#link.state === 'open';
  }

  /** The public id of the connection. */
  get clientId(): string | undefined {
    return this.#clientId;
  }

  /** Messages that wait for a connection, or for their answers. */
  get queued(): number {
    return this.#outbox.length;
  }

  /** Connects. It is done when the server has greeted; it fails when the client gives up, or is closed before. */
  connect(): Promise<void> {
    if (this.#link.state === 'open') return Promise.resolve();
    if (!this.#opening) {
      let [resolve, reject] = [() => {}, (_: Error) => {}];
      const promise = new Promise<void>((...both) => ([resolve, reject] = both));
      promise.catch(() => {}); // Who does not await it hears it from `onState`.
      this.#opening = { promise, resolve, reject };
    }
    const { promise } = this.#opening;
    this.#link.open();
    return promise;
  }

  /** Ends the connection for good; `connect` begins another one, where this one was. */
  close(code?: number, reason?: string): void {
    this.#link.close(code, reason);
  }

  /** The same. */
  disconnect(): void {
    this.close();
  }

  /** Calls `handler` with each message of a type, or with every message (`*`). */
  on(type: string, handler: Handler): Unsubscribe {
    return this.#messages.add(type, handler);
  }

  /** Stops calling a handler, or all of them. */
  off(type: string, handler?: Handler): void {
    this.#messages.remove(type, handler);
  }

  /** The state has changed. */
  onState(handler: (change: StateChange) => unknown): Unsubscribe {
    return this.#states.add('', handler);
  }

  /** Not everything that was missed can be had: read the state anew. */
  onReset(handler: (reset: Reset) => unknown): Unsubscribe {
    return this.#resets.add('', handler);
  }

  /** A message had no effect, or nobody knows. Its promise was rejected with the same error. */
  onDrop(handler: (dropped: Dropped) => unknown): Unsubscribe {
    return this.#drops.add('', handler);
  }

  /** Something failed that no promise tells: a token could not be had, a subscription could not be restored. */
  onError(handler: (error: Error) => unknown): Unsubscribe {
    return this.#errors.add('', handler);
  }

  /** Subscribes, now and after each reconnect. It is done when the server has confirmed it. */
  async subscribe(request: string | readonly string[] | SubscriptionRequest): Promise<Subscription> {
    const wish = wishOf(request);
    if (wish.since !== undefined) this.#inbox.forget(wish.channels);
    const id = this.#want(wish);
    try {
      await this.#restorer.cover(wish.channels, this.isConnected);
    } catch (error) {
      this.#unwant(id);
      throw error;
    }
    return { id, channels: wish.channels, unsubscribe: () => this.unsubscribe(id) };
  }

  /** Ends a subscription: by its id, by what it named, or without anything the one to the session that the client is in. */
  async unsubscribe(which?: string | Subscription | SubscriptionRequest): Promise<void> {
    if (which === undefined) {
      if (this.#session === undefined) return;
      return this.unsubscribe({ sessionId: this.#session });
    }
    const id = typeof which === 'string' ? which : 'id' in which ? which.id : undefined;
    if (id !== undefined && this.#subscriptions.has(id)) return this.#restorer.leave(this.#unwant(id));
    const { channels, session } = wishOf(which as string | SubscriptionRequest);
    if (session !== undefined && session === this.#session) this.#session = undefined;
    await this.#restorer.leave(channels.filter((name) => this.#subscriptions.drop(name, new ClosedError('it was unsubscribed'))));
  }

  /**
   * Sends a message, now or when there is a connection. The promise is the server's answer; of a message that has none
   * (`ping`) it is `{ ok: true }` once it was sent. A command (`task:update`) has one effect, however often the
   * connection breaks; of any other message that was sent and not answered nobody knows, and the promise is rejected.
   */
  send(message: OutgoingMessage): Promise<SocketAnswer>;
  send(type: string, data?: unknown): Promise<SocketAnswer>;
  send(message: OutgoingMessage | string, data?: unknown): Promise<SocketAnswer> {
    const said: OutgoingMessage = typeof message === 'string' ? { type: message, ...(data !== undefined && { data }) } : message;
    const sent = this.#send(said);
    // Who does not await the answer hears of a failure here.
    sent.catch((error: Error) => this.#drops.emit('', { message: said, error }));
    return sent;
  }

  async #send(message: OutgoingMessage): Promise<SocketAnswer> {
    if (typeof message.type !== 'string' || message.type === '') throw new TypeError('a message has a type');
    if (this.#link.state === 'closed' || this.#link.state === 'failed') throw new ClosedError('the client is closed');
    const asked = (message.data ?? message) as SubscriptionRequest;
    if (message.type === 'subscribe') return this.#enter(message, asked);
    if (message.type === 'unsubscribe') return this.#leave(asked);
    if (OWN.has(message.type)) return this.#sendPlain(message);
    const isChange = isCommand(message.type);
    const id = message.id ?? `${this.#prefix}-${(this.#ids += 1)}`;
    const whole = isChange ? withKey(message, `${this.#prefix}-${id}`) : message;
    const isPacked = this.#options.compressed === true && this.#format.name === 'envelope';
    const answer = await this.#outbox.add(String(id), isPacked ? await this.#packed(whole) : whole, isChange || isRead(message.type));
    this.#followed(message.type, answer);
    return answer;
  }

  /** The message as it is sent, in the order of the calls. */
  #packed(message: OutgoingMessage): Promise<OutgoingMessage> {
    const whole = this.#packing.then(() => packed(message));
    this.#packing = whole.catch(() => {});
    return whole;
  }

  /** A project that was joined or left by a command is heard after a reset as well, or no longer. */
  #followed(type: string, { room }: SocketAnswer): void {
    if (typeof room !== 'string') return;
    const bare = bareType(type);
    if (bare === 'joinproject') this.#subscriptions.adopt([room]);
    if (bare === 'leaveproject') this.#subscriptions.drop(room, new ClosedError('it was left'));
  }

  /** What is about the connection alone is not kept for another one. */
  #sendPlain(message: OutgoingMessage): SocketAnswer {
    if (!this.#link.send(this.#format.encode(message, message.id, undefined))) {
      throw new ConnectionLostError(`${message.type} is of no use without a connection`);
    }
    return { ok: true };
  }

  /** `subscribe` as a message: a session takes the place of the one before. */
  async #enter(message: OutgoingMessage, asked: SubscriptionRequest): Promise<SocketAnswer> {
    const sessionId = asked.sessionId ?? (message['sessionId'] as string | undefined);
    const before = this.#session;
    const isMoving = sessionId !== undefined && before !== undefined && before !== String(sessionId);
    const cursor = (asked as { cursor?: string }).cursor;
    const request = { ...asked, ...(sessionId !== undefined && { sessionId }), ...(cursor !== undefined && { since: cursor }) };
    const { id, channels } = await this.subscribe(request);
    if (isMoving) await this.unsubscribe({ sessionId: before });
    return { ok: true, id, channels };
  }

  async #leave(asked: SubscriptionRequest & { readonly subscriptionId?: string }): Promise<SocketAnswer> {
    const names = asked.channel ?? asked.channels ?? asked.resource ?? asked.sessionId ?? asked.agentId ?? asked.workflowId;
    await this.unsubscribe(asked.subscriptionId ?? (names === undefined ? undefined : asked));
    return { ok: true };
  }

  #want(wish: Wish): string {
    if (wish.session !== undefined) this.#session = wish.session;
    return this.#subscriptions.add(wish);
  }

  /** Removes a subscription; the channels that are not wanted any more. */
  #unwant(id: string): string[] {
    const names = this.#subscriptions.remove(id);
    if (names.includes(`session:${this.#session}`)) this.#session = undefined;
    return names;
  }

  #encode(message: OutgoingMessage, id: string): object {
    const sessionId = 'sessionId' in message || OWN.has(message.type) ? undefined : this.#session;
    return this.#format.encode(message, id, sessionId);
  }

  #address(token: string | undefined, apiKey: string | undefined): string {
    const isWanted = (name: string) => this.#subscriptions.channels.get(name)?.types.length === 0;
    const isEntered = this.#session !== undefined && isWanted(`session:${this.#session}`);
    const channels = (this.#options.channels ?? []).filter((name) => isWanted(name) && !name.includes(','));
    const sessionId = isEntered ? this.#session : undefined;
    return addressOf(this.#server, this.#options, { token, apiKey, cursor: this.#inbox.cursor, sessionId, channels });
  }

  #greeted(greeting: Incoming): void {
    const { clientId, channels } = greeting.body;
    if (typeof clientId === 'string') this.#clientId = clientId;
    this.#inbox.take(greeting);
    this.#restorer.connected(Array.isArray(channels) ? (channels as string[]) : []);
    this.#outbox.flush();
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  #lost({ code }: Ending): void {
    this.#restorer.disconnected();
    this.#outbox.disconnected(code === 1002 || code === 1007 || code === 1009);
  }

  #ended(error: ClosedError): void {
    this.#opening?.reject(error);
    this.#opening = undefined;
    this.#outbox.close(error);
    this.#restorer.close(error);
  }

  /** Whether a message is the answer to one of this client's own. */
  #answered({ type, body }: Incoming, id: string): boolean {
    return (type === 'ack' || type === 'error') && this.#outbox.answered(id, type === 'ack' && body['ok'] !== false, body);
  }

  /** Shows a newer token before the old one expires. */
  async #refresh(): Promise<void> {
    if (typeof this.#options.token !== 'function') return;
    try {
      const token = await this.#link.token();
      if (token !== undefined) await this.#outbox.add(`${this.#prefix}-t${(this.#ids += 1)}`, { type: 'auth:refresh', data: { token } }, false);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #failed(error: Error): void {
    this.#errors.emit('', error);
  }
}

/** The command under a key that it keeps however often it is sent. */
function withKey(message: OutgoingMessage, key: string): OutgoingMessage {
  const { data } = message;
  const named = (data ?? message) as Record<string, unknown>;
  if (typeof named !== 'object' || Array.isArray(named)) return message;
  if (['idempotencyKey', 'clientMutationId', 'mutationId', 'requestId'].some((name) => typeof named[name] === 'string')) return message;
  if (data === undefined) return { ...message, idempotencyKey: key };
  return { ...message, data: { ...named, idempotencyKey: key } };
}
