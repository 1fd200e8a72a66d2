// The way to the server: connects, comes back after each end, and gives up when it is told that coming back is of no use.

import { Backoff } from '../backoff.js';
import { ClosedError } from '../errors.js';
import { unpacked } from './compression.js';
import { Connection, type Ending } from './connection.js';
import type { Format, Incoming } from './format.js';
import type { SocketMessage, SocketOptions, SocketState, StateChange, WebSocketConstructor } from './types.js';

/** Close codes after which another token may help. */
const UNAUTHENTICATED = new Set([1008, 4401]);
/** Close codes after which nothing helps: forbidden, and replaced by a newer connection of the same user. */
const FINAL = new Set([4403, 4409]);
/** The server is there and takes nobody now: a greeting before is no success. */
const BUSY = new Set([1011, 1013, 4429, 4503]);
const BUSY_FOR_MS = 5_000;

interface Owner {
  /** The address of the next connection, with a token and an API key if it `shows` who comes. */
  address(token: string | undefined, shows: boolean): string;
  onState(change: StateChange): void;
  /** The server has greeted: the connection can be used. */
  onGreeted(greeting: Incoming): void;
  onIncoming(incoming: Incoming): void;
  /** A connection that had been greeted has ended. */
  onLost(ending: Ending): void;
  onError(error: Error): void;
  /** Nothing will come any more. */
  onClosed(error: ClosedError): void;
}

export class Link {
  readonly #options: SocketOptions;
  readonly #format: Format;
  readonly #owner: Owner;
  readonly #backoff: Backoff;
  #state: SocketState = 'idle';
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts connections, so that what belongs to an old one is ignored. */
  #attempt = 0;
  #greetedAt = 0;
  #refusedTokens = 0;
  /** The last attempt, which showed who comes in the address, ended without a word. */
  #wasRefusedUnheard = false;
  /** A greeting that does not say whether the client is known. */
  #greeting: Incoming | undefined;
  #pings = 0;
  /** What comes behind a message that is being unpacked. */
  #unpacking: Promise<void> | undefined;

  constructor(options: SocketOptions, format: Format, owner: Owner) {
    this.#options = options;
    this.#format = format;
    this.#owner = owner;
    this.#backoff = new Backoff(options.reconnect === false ? { maxAttempts: 0 } : options.reconnect);
  }

  get state(): SocketState {
    return this.#state;
  }

  open(): void {
    if (this.#state === 'connecting' || this.#state === 'open') return;
    clearTimeout(this.#timer);
    if (this.#state !== 'waiting') this.#backoff.reset();
    void this.#dial();
  }

  send(message: object): boolean {
    return this.#state === 'open' && (this.#connection?.send(JSON.stringify(message)) ?? false);
  }

  close(code = 1000, reason = 'closed by the client'): void {
    if (this.#state === 'closed' || this.#state === 'failed') return;
    this.#stop('closed', new ClosedError('the client was closed'), { code, reason });
  }

  /** A token, fresh if there is a way to get one. */
  async token(): Promise<string | undefined> {
    const { token } = this.#options;
    return typeof token === 'function' ? await token() : token;
  }

  async #dial(): Promise<void> {
    const attempt = (this.#attempt += 1);
    const isCurrent = () => attempt === this.#attempt;
    this.#greeting = undefined;
    this.#change({ state: 'connecting' });
    try {
      const token = await this.token();
      if (!isCurrent()) return;
      const owner = {
        onText: (text: string) => isCurrent() && this.#read(text, attempt),
        onEnd: (ending: Ending) => isCurrent() && this.#ended(ending),
        onSilence: () => this.#askForLife(),
      };
      const { connectTimeoutMs = 10_000, pingIntervalMs = 25_000, pongTimeoutMs = 10_000 } = this.#options;
      const timeouts = { connectTimeoutMs, pingIntervalMs, pongTimeoutMs };
      const introduce = () => this.#introduce(token);
      const address = this.#owner.address(token, !this.#saysWho);
      this.#connection = new Connection(address, this.#implementation(), owner, timeouts, introduce);
    } catch (error) {
      if (!isCurrent()) return;
      this.#owner.onError(error instanceof Error ? error : new Error(String(error)));
      if (error instanceof TypeError) return this.#stop('failed', new ClosedError(error.message));
      this.#ended({ code: 1006, reason: String(error) });
    }
  }

  #implementation(): WebSocketConstructor {
    const known = this.#options.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket;
    if (known) return known as WebSocketConstructor;
    throw new TypeError('there is no WebSocket here: use Node 22, or give the class of the package ws as the option WebSocket');
  }

  get #hasCredential(): boolean {
    return (this.#options.token ?? this.#options.apiKey) !== undefined;
  }

  /** Whether the client shows who it is in a message, and not in the address. */
  get #saysWho(): boolean {
    return this.#hasCredential && (this.#options.authenticate === 'message' || this.#wasRefusedUnheard);
  }

  /** Whether the client sends a message about itself first, and is greeted for that. */
  get #introducesItself(): boolean {
    return this.#options.handshake !== undefined || this.#saysWho;
  }

  #introduce(token: string | undefined): void {
    if (!this.#introducesItself) {
      // Whose address says nothing is greeted with the answer to its first message.
      if (this.#format.name === 'flat' && !this.#hasCredential) this.#askForLife();
      return;
    }
    const { apiKey, handshake } = this.#options;
    const shown = this.#saysWho ? { ...(token && { token }), ...(apiKey && { apiKey }) } : {};
    const type = this.#format.name === 'flat' ? 'handshake' : 'auth_request';
    const message = this.#format.encode({ type, data: { ...handshake, ...shown } }, 'introduction', undefined);
    this.#connection?.send(JSON.stringify(message));
  }

  #isGreeting({ type }: Incoming): boolean {
    if (this.#introducesItself) return type === 'welcome' || type === 'auth_success';
    return type === 'connection' || type === 'connect';
  }

  /**
   * Whether the greeting says that the server knows who came. On `/ws` it says so only by a cursor; else the refusal
   * follows, or nothing.
   */
  #isKnown({ body, cursor }: Incoming): boolean {
    return !this.#hasCredential || this.#introducesItself || cursor !== undefined || body['authenticated'] === true;
  }

  /** Asks for a sign of life, before which a refusal would come. */
  #probe(greeting: Incoming): void {
    this.#greeting = greeting;
    this.#askForLife();
  }

  #askForLife(): void {
    const ping = this.#format.encode({ type: 'ping' }, `ping-${(this.#pings += 1)}`, undefined);
    this.#connection?.send(JSON.stringify(ping));
  }

  #greeted(greeting: Incoming): void {
    this.#greetedAt = Date.now();
    this.#connection?.greeted();
    this.#change({ state: 'open' });
    this.#owner.onGreeted(greeting);
  }

  #read(text: string, attempt: number): void {
    let message: SocketMessage;
    try {
      message = JSON.parse(text) as SocketMessage;
    } catch {
      return this.#owner.onError(new Error(`the server sent what is no JSON: ${text.slice(0, 80)}`));
    }
    if (typeof message?.type !== 'string') return;
    const isPacked = message['metadata']?.compressed === true && typeof message.data === 'string';
    if (!isPacked && !this.#unpacking) return this.#take(message);
    // What comes later waits until it is unpacked, so that the order stays.
    const before = this.#unpacking ?? Promise.resolve();
    const done: Promise<void> = before
      .then(async () => {
        const whole = isPacked ? { ...message, data: await unpacked(message.data as string) } : message;
        if (attempt === this.#attempt) this.#take(whole);
      })
      .catch((error: Error) => this.#connection?.abandon(`a compressed message cannot be read: ${error.message}`))
      .finally(() => {
        if (this.#unpacking === done) this.#unpacking = undefined;
      });
    this.#unpacking = done;
  }

  #take(message: SocketMessage): void {
    const incoming = this.#format.decode(message);
    if (this.#state === 'connecting') {
      if (this.#greeting && incoming.type === 'pong') return this.#greeted(this.#greeting);
      if (this.#isGreeting(incoming)) return this.#isKnown(incoming) ? this.#greeted(incoming) : this.#probe(incoming);
    }
    if (incoming.type === 'error' || incoming.type === 'auth_failure') {
      const { code, event } = incoming.body as { code?: string; event?: string };
      const isAboutUs = incoming.answers === 'introduction' || event === 'connection' || incoming.type === 'auth_failure';
      if (code === 'unauthenticated' && isAboutUs) return this.#turnedAway(incoming);
    } else if (this.#state === 'open') this.#refusedTokens = 0;
    // The answer to a question of ours about the connection alone.
    if (incoming.type !== 'pong' || !incoming.answers?.startsWith('ping-')) this.#owner.onIncoming(incoming);
  }

  #turnedAway(incoming: Incoming): void {
    this.#owner.onIncoming(incoming);
    const connection = this.#connection;
    this.#ended({ code: 4401, reason: String(incoming.body['error'] ?? 'unauthenticated') });
    connection?.close(1000, 'unauthenticated');
  }

  #ended(ending: Ending): void {
    const wasOpen = this.#state === 'open';
    // `/ws/v1` refuses a bad credential before there is a connection, which looks as if nobody were there: what is said in
    // a message instead is answered.
    if (wasOpen) this.#wasRefusedUnheard = false;
    else if (ending.code === 1006) this.#wasRefusedUnheard = this.#format.name === 'envelope' && !this.#wasRefusedUnheard;
    const isBusy = BUSY.has(ending.code) && Date.now() - this.#greetedAt < BUSY_FOR_MS;
    if (wasOpen && !isBusy) this.#backoff.reset();
    this.#attempt += 1;
    this.#unpacking = undefined;
    this.#connection = undefined;
    if (wasOpen) this.#owner.onLost(ending);
    if (this.#state === 'closed' || this.#state === 'failed') return;
    const stopped = this.#uselessToComeBack(ending);
    if (stopped) return this.#stop('failed', new ClosedError(stopped, ending.code), ending);
    const retryInMs = this.#backoff.next();
    if (retryInMs === undefined) {
      const what = `gave up after ${this.#backoff.attempts + 1} attempts: ${ending.reason || `close code ${ending.code}`}`;
      return this.#stop('failed', new ClosedError(what, ending.code), ending);
    }
    this.#timer = setTimeout(() => void this.#dial(), retryInMs);
    this.#change({ state: 'waiting', close: ending, retryInMs });
  }

  #uselessToComeBack({ code, reason }: Ending): string | undefined {
    if (FINAL.has(code)) return `the server ended the connection for good: ${reason || code}`;
    if (!UNAUTHENTICATED.has(code)) return undefined;
    this.#refusedTokens += 1;
    const mayHaveFresh = typeof this.#options.token === 'function' && this.#refusedTokens < 2;
    return mayHaveFresh ? undefined : `unauthenticated: ${reason || 'a valid token or API key is needed'}`;
  }

  #stop(state: 'closed' | 'failed', error: ClosedError, close?: Ending): void {
    const [wasOpen, connection] = [this.#state === 'open', this.#connection];
    clearTimeout(this.#timer);
    this.#attempt += 1;
    this.#connection = undefined;
    this.#unpacking = undefined;
    this.#state = state;
    connection?.close(close?.code ?? 1000, close?.reason ?? '');
    if (wasOpen && close) this.#owner.onLost(close);
    this.#change({ state, ...(close && { close }) });
    this.#owner.onClosed(error);
  }

  #change(change: Omit<StateChange, 'attempts'>): void {
    this.#state = change.state;
    this.#owner.onState({ ...change, attempts: change.state === 'open' ? 0 : this.#backoff.attempts });
  }
}
