// The client of the agent platform's page: `/ws/v1` by the page's own names.

import type { Unsubscribe } from '../listeners.js';
import { BoardcastSocket } from '../socket/boardcast-socket.js';
import type { SocketOptions, StateChange, SubscriptionRequest } from '../socket/types.js';
import type { EventHandler, WebSocketMessage } from './envelope.js';

/** Where the server is, and who the client is there: every option of a `BoardcastSocket`. */
export interface ClientConfig extends SocketOptions {
  /** `ws://localhost:8002/ws/v1`; with the server's address alone, that path is added. */
  readonly url: string | URL;
}

/** What to hear of: `{ agentId, events }`, `{ workflowId }`, or `{ resource, events }`. */
export type SubscriptionConfig = SubscriptionRequest;

/** Attempts after which `connect` fails, unless the config says otherwise. */
const MAX_ATTEMPTS = 10;

function endpoint(url: string | URL): string {
  const address = new URL(url, (globalThis as { location?: { href?: string } }).location?.href);
  if (address.pathname === '/' || address.pathname === '') address.pathname = '/ws/v1';
  return address.href;
}

export class AutoSDLCWebSocketClient {
  /** The socket behind it: state, queue, resets, errors. */
  readonly socket: BoardcastSocket;

  constructor({ url, ...options }: ClientConfig) {
    const reconnect = options.reconnect === false ? false : { maxAttempts: MAX_ATTEMPTS, ...options.reconnect };
    this.socket = new BoardcastSocket(endpoint(url), { ...options, reconnect, format: 'envelope' });
  }

  /** Connects; done when the server has greeted. */
  async connect(): Promise<void> {
    await this.socket.connect();
  }

  /** Calls `handler` with each message of a type (`*`: of any); returns how to stop. */
  on(eventType: string, handler: EventHandler): Unsubscribe {
    return this.socket.on(eventType, (message) => handler(message as WebSocketMessage));
  }

  /** The connection has come, gone, or is awaited. */
  onStateChange(handler: (change: StateChange) => unknown): Unsubscribe {
    return this.socket.onState(handler);
  }

  /** Subscribes; the id with which the subscription is ended. It survives reconnects. */
  async subscribe(subscription: SubscriptionConfig): Promise<string> {
    return (await this.socket.subscribe(subscription)).id;
  }

  async unsubscribe(subscriptionId: string): Promise<void> {
    await this.socket.unsubscribe(subscriptionId);
  }

  /** Sends a message, now or when there is a connection; done when the server has taken it. */
  async send(message: Partial<WebSocketMessage>): Promise<void> {
    const { type, ...rest } = message;
    if (type === undefined) throw new TypeError('a message has a type');
    await this.socket.send({ type, ...rest });
  }

  disconnect(): void {
    this.socket.close();
  }
}
