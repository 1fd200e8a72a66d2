import type { SocketAnswer, SocketMessage, SocketState, SubscriptionRequest } from '@boardcast/client';
import { useMemo, type RefObject } from 'react';
import { useServer } from './provider.js';
import type { Server } from './server.js';
import { useStore } from './store.js';
import { useLatest } from './useLatest.js';
import { SocketStore, type Unsubscribe, type WebSocketCallbacks, type WebSocketConfig } from './webSocketStore.js';

export interface WebSocketOptions extends WebSocketConfig, WebSocketCallbacks {}

export interface WebSocketView {
  readonly isConnected: boolean;
  readonly state: SocketState;
  /**
   * The latest message. While many messages come at once, some are never the latest of a render: `onMessage` hears each.
   */
  readonly lastMessage: SocketMessage | null;
  /** Sends a message, now or as soon as there is a connection; the server's answer, which need not be awaited. */
  readonly send: (message: object) => Promise<SocketAnswer>;
  /** The same as `send`. */
  readonly sendMessage: (message: object) => Promise<SocketAnswer>;
  /** Subscribes until the returned function is called, or the component unmounts; over all reconnects. */
  readonly subscribe: (request: string | readonly string[] | SubscriptionRequest) => Unsubscribe;
}

/**
 * A WebSocket of this component, at an address such as `/ws` (flat messages) or `/ws/v1` (enveloped ones). It comes back
 * by itself, with its subscriptions and from the last event that it heard, and ends when the component unmounts.
 */
export function useWebSocket(url: string, options?: WebSocketOptions): WebSocketView;
export function useWebSocket(options?: WebSocketOptions): WebSocketView;
export function useWebSocket(first: string | WebSocketOptions = {}, more: WebSocketOptions = {}): WebSocketView {
  const options = typeof first === 'string' ? { ...more, url: first } : first;
  const store = useSocketStore(WebSocketStore, options);
  const { state, lastMessage } = useStore(store);
  const { send, hear } = store;
  return { isConnected: state === 'open', state, lastMessage, send, sendMessage: send, subscribe: hear };
}

type StoreClass<S> = new (server: Server, config: WebSocketConfig, callbacks: RefObject<WebSocketCallbacks>) => S;

/** A store that lasts as long as what the connection is made of stays the same. Callbacks may be written anew with each render. */
export function useSocketStore<S>(Kind: StoreClass<S>, options: WebSocketOptions): S {
  const { onMessage, onOpen, onClose, onError, token, ...config } = options;
  const server = useServer();
  const callbacks = useLatest<WebSocketCallbacks>({ onMessage, onOpen, onClose, onError, token });
  const key = JSON.stringify(config);
  return useMemo(
    () => new Kind(server, JSON.parse(key) as WebSocketConfig, callbacks),
    [Kind, server, key, callbacks],
  );
}

interface WebSocketSnapshot {
  readonly state: SocketState;
  readonly lastMessage: SocketMessage | null;
}

class WebSocketStore extends SocketStore<WebSocketSnapshot> {
  constructor(server: Server, config: WebSocketConfig, callbacks: RefObject<WebSocketCallbacks>) {
    super({ state: 'idle', lastMessage: null }, server, config, callbacks);
  }

  protected override onState(state: SocketState): void {
    this.change({ state });
  }

  protected override onMessage(message: SocketMessage): void {
    this.change({ lastMessage: message });
    this.callbacks.current.onMessage?.(message);
  }
}
