// A WebSocket of one component: what it hears reaches the component's callbacks one by one, and its renders as the
// latest message.

import { BoardcastSocket, type SocketAnswer, type SocketMessage, type SocketOptions, type SocketState, type StateChange, type SubscriptionRequest } from '@boardcast/client';
import type { RefObject } from 'react';
import { tokenOf, type Identity, type Server, type Token } from './server.js';
import { Store } from './store.js';

/** How a connection ended: `code` is 1006 if the other end said nothing. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

export interface WebSocketCallbacks {
  /** Called for each message, once and in order, also for those between two renders. */
  readonly onMessage?: ((message: SocketMessage) => void) | undefined;
  /** The server has greeted, at first or again. */
  readonly onOpen?: (() => void) | undefined;
  /** A connection ended that was open. */
  readonly onClose?: ((closing: Closing) => void) | undefined;
  /** A connection could not be made, a message was not sent, a subscription was refused. */
  readonly onError?: ((error: Error) => void) | undefined;
  /** As of the provider, for this connection alone. */
  readonly token?: Identity['token'];
}

/** What a connection is made of; another value is another connection. */
export interface WebSocketConfig extends Omit<SocketOptions, 'token' | 'reconnect' | 'WebSocket'> {
  /** An address, complete or relative to the server: `/ws` if it is missing. */
  readonly url?: string;
  /** Whether to come back: yes, if it is missing. */
  readonly reconnect?: boolean;
  /** The longest wait before an attempt, in milliseconds. Without it waits grow from 0.5 s to 30 s. */
  readonly reconnectInterval?: number;
  /** Failed attempts in a row after which it gives up; never, if it is missing. */
  readonly maxReconnectAttempts?: number;
}

export type Unsubscribe = () => void;

export abstract class SocketStore<State> extends Store<State> {
  protected readonly callbacks: RefObject<WebSocketCallbacks>;
  readonly #server: Server;
  readonly #config: WebSocketConfig;
  #socket: BoardcastSocket | null = null;

  constructor(initial: State, server: Server, config: WebSocketConfig, callbacks: RefObject<WebSocketCallbacks>) {
    super(initial);
    this.#server = server;
    this.#config = config;
    this.callbacks = callbacks;
  }

  protected abstract onState(state: SocketState): void;
  protected abstract onMessage(message: SocketMessage): void;

  /** Sends a message, now or as soon as there is a connection. */
  readonly send = (message: unknown): Promise<SocketAnswer> => {
    const sent = this.#socket?.send(message as { type: string });
    if (sent) return sent;
    const refused = Promise.reject<SocketAnswer>(new Error('the component is not mounted'));
    refused.catch(() => {}); // As of any message whose answer nobody awaits.
    return refused;
  };

  /** Subscribes until the returned function is called, over all reconnects. */
  readonly hear = (request: string | readonly string[] | SubscriptionRequest): Unsubscribe => {
    const subscription = this.#socket?.subscribe(request);
    subscription?.catch((error: Error) => this.callbacks.current.onError?.(error));
    return () => void subscription?.then((confirmed) => confirmed.unsubscribe()).catch(() => {});
  };

  protected override open(): () => void {
    const socket = new BoardcastSocket(this.#server.completed(this.#config.url ?? '/ws'), this.#options());
    this.#socket = socket;
    const failed = (error: Error) => this.callbacks.current.onError?.(error);
    let wasOpen = false;
    const changed = ({ state, close }: StateChange) => {
      this.onState(state);
      if (state === 'open') this.callbacks.current.onOpen?.();
      else if (wasOpen) this.callbacks.current.onClose?.(close ?? { code: 1006, reason: '' });
      else if (close) failed(new Error(close.reason || `the connection could not be made (${close.code})`));
      wasOpen = state === 'open';
    };
    const stops = [
      socket.on('*', (message) => this.onMessage(message)),
      socket.onState(changed),
      socket.onError(failed),
      socket.onDrop(({ error }) => failed(error)),
    ];
    void socket.connect().catch(() => {}); // `onState` tells.
    return () => {
      stops.forEach((stop) => stop());
      this.#socket = null;
      socket.close();
    };
  }

  #options(): SocketOptions {
    const { url, reconnect, reconnectInterval, maxReconnectAttempts, ...options } = this.#config;
    const backoff = {
      ...(reconnectInterval !== undefined && { minDelayMs: reconnectInterval, maxDelayMs: reconnectInterval }),
      ...(maxReconnectAttempts !== undefined && { maxAttempts: maxReconnectAttempts }),
    };
    const { userId } = this.#server.identityAt(url ?? '/ws');
    return {
      ...(userId !== undefined && { userId }),
      ...options,
      token: () => this.#token(),
      reconnect: reconnect === false ? false : backoff,
    };
  }

  async #token(): Promise<Token> {
    const own = await tokenOf(this.callbacks.current.token);
    return own ?? tokenOf(this.#server.identityAt(this.#config.url ?? '/ws').token);
  }
}
