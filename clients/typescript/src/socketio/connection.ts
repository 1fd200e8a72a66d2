// One Socket.IO connection that shows who it is, comes back, and is dialled again where socket.io-client gives up.

import { io, type Socket } from 'socket.io-client';
import { Backoff } from '../backoff.js';
import { ClosedError, RefusedError } from '../errors.js';
import type { SocketState, StateChange } from '../socket/types.js';
import type { ConnectOptions } from './types.js';

/** Any event, with any arguments: names and payloads are checked by the client's own methods. */
export type AnySocket = Socket<Record<string, (...args: any[]) => void>, Record<string, (...args: any[]) => void>>;

const CONNECT_TIMEOUT_MS = 5_000;

interface Owner {
  onState(change: StateChange): void;
  onConnect(isRecovered: boolean): void;
  onDisconnect(): void;
  onEvent(name: string, args: unknown[]): void;
  onError(error: Error): void;
  onClosed(error: ClosedError): void;
}

export class IoConnection {
  readonly socket: AnySocket;
  readonly #options: ConnectOptions;
  readonly #owner: Owner;
  readonly #backoff: Backoff;
  #state: SocketState = 'connecting';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refusedTokens = 0;
  #wasConnected = false;

  constructor(url: string | undefined, options: ConnectOptions, owner: Owner) {
    this.#options = options;
    this.#owner = owner;
    this.#backoff = new Backoff(options.reconnect === false ? { maxAttempts: 0 } : options.reconnect);
    const settings = {
      // Asked for at each connection: tokens expire.
      auth: (show: (shown: object) => void) => void this.#introduce(show),
      timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      // The waits are this client's own: full jitter, also after a refusal.
      reconnection: false,
      // A manager of its own: others of the page keep theirs.
      forceNew: true,
      ...options.io,
    };
    this.socket = (url === undefined ? io(settings) : io(url, settings)) as AnySocket;
    this.socket.on('connect', () => this.#connected());
    this.socket.on('disconnect', (reason: string) => this.#lost(reason));
    this.socket.on('connect_error', (error: Error) => this.#failed(error));
    this.socket.onAny((name: string, ...args: unknown[]) => owner.onEvent(name, args));
    this.#expect();
  }

  get state(): SocketState {
    return this.#state;
  }

  /** Begins anew after it has ended. */
  open(): void {
    if (this.#state !== 'closed' && this.#state !== 'failed') return;
    this.#backoff.reset();
    this.#dial();
  }

  close(): void {
    if (this.#state === 'closed' || this.#state === 'failed') return;
    this.#stop('closed', new ClosedError('the client was closed'));
  }

  /** A token, fresh if there is a way to get one. */
  async token(): Promise<string | undefined> {
    const { token } = this.#options;
    return typeof token === 'function' ? await token() : token;
  }

  async #introduce(show: (shown: object) => void): Promise<void> {
    const { apiKey, auth, cursor, echo, eventStyle, userId } = this.#options;
    let token: string | undefined;
    try {
      token = await this.token();
    } catch (error) {
      // Shown without one it is refused, and comes back later.
      this.#owner.onError(error instanceof Error ? error : new Error(String(error)));
    }
    const shown = { token, apiKey, userId, eventStyle, echo, cursor: this.#wasConnected ? undefined : cursor };
    show({ ...auth, ...Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)) });
  }

  #dial(): void {
    this.#change({ state: 'connecting' });
    this.socket.connect();
    this.#expect();
  }

  /** Gives up an attempt that nobody answers: socket.io-client waits for the transport alone. */
  #expect(): void {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#state !== 'connecting') return;
      this.#comeBack(`no answer in ${2 * connectTimeoutMs} ms`);
      this.socket.disconnect();
    }, 2 * connectTimeoutMs);
  }

  #connected(): void {
    clearTimeout(this.#timer);
    this.#refusedTokens = 0;
    this.#wasConnected = true;
    this.#backoff.reset();
    this.#change({ state: 'open' });
    this.#owner.onConnect(this.socket.recovered);
  }

  #lost(reason: string): void {
    if (this.#state === 'open') this.#owner.onDisconnect();
    // Said by a server that wants the client to stay away; an end that is not meant so has other reasons.
    if (reason === 'io server disconnect') return this.#stop('failed', new ClosedError('the server ended the connection for good'));
    // It may also be lost before the server has answered.
    if (this.#state === 'open' || this.#state === 'connecting') this.#comeBack(reason);
  }

  #failed({ message }: Error): void {
    // The server refuses a connection by a code.
    if (message === 'unauthenticated' || message === 'forbidden') {
      this.#refusedTokens += 1;
      const mayHaveFresh = typeof this.#options.token === 'function' && this.#refusedTokens < 2;
      if (!mayHaveFresh) {
        this.#owner.onError(new RefusedError({ code: message, error: `the server refused the connection: ${message}` }));
        return this.#stop('failed', new ClosedError(message));
      }
    }
    this.#comeBack(message);
  }

  #comeBack(reason: string): void {
    const retryInMs = this.#backoff.next();
    if (retryInMs === undefined) {
      return this.#stop('failed', new ClosedError(`gave up after ${this.#backoff.attempts + 1} attempts: ${reason}`));
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dial(), retryInMs);
    this.#change({ state: 'waiting', close: { code: 1006, reason }, retryInMs });
  }

  #stop(state: 'closed' | 'failed', error: ClosedError): void {
    clearTimeout(this.#timer);
    this.#change({ state });
    this.socket.disconnect();
    this.#owner.onClosed(error);
  }

  #change(change: Omit<StateChange, 'attempts'>): void {
    this.#state = change.state;
    this.#owner.onState({ ...change, attempts: this.#backoff.attempts });
  }
}
