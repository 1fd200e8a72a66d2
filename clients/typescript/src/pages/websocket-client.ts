// The two classes of the chat agent's page. The reconnect is the page's own, 1 s, 2 s, 4 s… five times, made a random part
// of that, and nothing is missed in between.

import type { Unsubscribe } from '../listeners.js';
import { BoardcastSocket } from '../socket/boardcast-socket.js';
import type { OutgoingMessage, SocketAnswer, SocketMessage, SocketOptions } from '../socket/types.js';

export class WebSocketClient {
  readonly url: string;
  /** Failed attempts since the last connection. */
  reconnectAttempts = 0;
  /** How often it tries; read with each `connect`. */
  maxReconnectAttempts = 5;
  /** The first wait, in milliseconds; it doubles. */
  reconnectDelay = 1_000;

  onopen: (() => unknown) | null = null;
  onmessage: ((message: SocketMessage) => unknown) | null = null;
  onclose: (() => unknown) | null = null;

  readonly #options: SocketOptions;
  readonly #handlers = new Set<{ type: string; handler: (message: SocketMessage) => unknown; stop: Unsubscribe }>();
  #socket: BoardcastSocket | undefined;

  constructor(url: string | URL, options: SocketOptions = {}) {
    this.url = String(url);
    this.#options = options;
  }

  /** The socket behind it, once it was told to connect. */
  get ws(): BoardcastSocket | undefined {
    return this.#socket;
  }

  /** Connects; resolves when the server has greeted, rejects after the last attempt. */
  connect(): Promise<void> {
    this.#socket?.close();
    const reconnect = { minDelayMs: this.reconnectDelay, maxAttempts: this.maxReconnectAttempts, ...this.#options.reconnect };
    const cursor = this.#socket?.cursor ?? this.#options.cursor;
    const socket = new BoardcastSocket(this.url, { ...this.#options, reconnect, ...(cursor !== undefined && { cursor }) });
    this.#socket = socket;
    socket.on('*', (message) => this.onmessage?.(message));
    let isOpen = false;
    socket.onState(({ state, attempts }) => {
      this.reconnectAttempts = attempts;
      if (state === 'open') this.onopen?.();
      else if (isOpen) this.onclose?.();
      isOpen = state === 'open';
    });
    for (const entry of this.#handlers) entry.stop = socket.on(entry.type, entry.handler);
    const connected = socket.connect();
    connected.catch(() => {}); // `connect` need not be awaited.
    return connected;
  }

  /** Calls `handler` with each message of a type; returns how to stop. */
  on(type: string, handler: (message: SocketMessage) => unknown): Unsubscribe {
    const entry = { type, handler, stop: this.#socket?.on(type, handler) ?? (() => {}) };
    this.#handlers.add(entry);
    return () => {
      entry.stop();
      this.#handlers.delete(entry);
    };
  }

  /** Tries at once, without waiting for the next attempt. */
  attemptReconnect(): void {
    if (this.#socket) void this.#socket.connect();
    else void this.connect();
  }

  send(message: OutgoingMessage): Promise<SocketAnswer> {
    if (!this.#socket) return Promise.reject(new TypeError('call connect() first'));
    const sent = this.#socket.send(message);
    sent.catch(() => {}); // Nobody need await the answer.
    return sent;
  }

  close(): void {
    this.#socket?.close();
  }
}

/** Whatever can be closed. */
interface Closable {
  close(): void;
}

/** So many connections at most: one more closes the oldest. */
export class ConnectionPool<Connection extends Closable = Closable> {
  readonly connections = new Map<string, Connection>();

  constructor(readonly maxConnections = 10) {}

  /** Adds a connection; one of the same id is closed. */
  addConnection(id: string, connection: Connection): void {
    if (this.connections.get(id) === connection) return;
    this.removeConnection(id);
    const [oldest] = this.connections.keys();
    if (this.connections.size >= this.maxConnections && oldest !== undefined) this.removeConnection(oldest);
    this.connections.set(id, connection);
  }

  removeConnection(id: string): void {
    this.connections.get(id)?.close();
    this.connections.delete(id);
  }

  getConnection(id: string): Connection | undefined {
    return this.connections.get(id);
  }

  closeAll(): void {
    for (const id of [...this.connections.keys()]) this.removeConnection(id);
  }
}
