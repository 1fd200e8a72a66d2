// What a BoardcastSocket is given, and what it gives.

import type { BackoffOptions } from '../backoff.js';
import type { ErrorCode } from '../generated.js';

/** The part of a `WebSocket` that is used: those of browsers, of Node 22 and of the package `ws` have it. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** A class that opens connections. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** A token, or where to get a fresh one. It is asked for at each connection, and before one expires. */
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

/** What may wait while there is no connection. */
export interface QueueOptions {
  /** Messages that wait or have not been answered. 256 if it is missing. */
  readonly messages?: number;
  /** Their JSON, in UTF-16 code units. 1 048 576 if it is missing. */
  readonly size?: number;
  /** What happens beyond: `reject` refuses the new message, `drop-oldest` gives up the one that waits longest. */
  readonly whenFull?: 'reject' | 'drop-oldest';
}

/** Options of a `BoardcastSocket`. */
export interface SocketOptions {
  /** Who the client is, where the server wants a token. */
  readonly token?: TokenSource;
  /** The same with an API key. */
  readonly apiKey?: string;
  /** How it is shown: in the address, or in a message of its own once the connection is there. */
  readonly authenticate?: 'address' | 'message';
  /** Who the client says it is, on a server that verifies no tokens; it then hears `user:<id>`. */
  readonly userId?: string;
  /** The session that the client hears, and to which its messages are passed on. */
  readonly sessionId?: string;
  /** Channels that it hears from the start. */
  readonly channels?: readonly string[];
  /** Where it was when it was last here: what came after is heard first. */
  readonly cursor?: string;
  /** What the client says of itself in a handshake, such as its type and version (`/ws` only). */
  readonly handshake?: Readonly<Record<string, unknown>>;
  /** Other parameters of the address: `batch`, `eventStyle`, `echo`. */
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** The envelope, where the path does not tell: `/ws/v1` has `envelope`, every other path `flat`. */
  readonly format?: 'flat' | 'envelope';
  /** Compress data of more than 1 kB, in both directions (`/ws/v1` only). */
  readonly compressed?: boolean;
  /** The class of connections, where there is no global `WebSocket`. */
  readonly WebSocket?: WebSocketConstructor;
  /** How the client comes back; `false`: not at all. */
  readonly reconnect?: BackoffOptions | false;
  /** Bounds of the messages that wait for a connection. */
  readonly queue?: QueueOptions;
  /** How long a connection may take until the server greets, in milliseconds. 10 000 if it is missing. */
  readonly connectTimeoutMs?: number;
  /** How long the answer to a message may take, in milliseconds. 30 000 if it is missing. */
  readonly ackTimeoutMs?: number;
  /** Silence after which the client asks whether the server is there, in milliseconds; 0: never. 25 000 if it is missing. */
  readonly pingIntervalMs?: number;
  /** How long the answer to that may take before the connection counts as dead. 10 000 if it is missing. */
  readonly pongTimeoutMs?: number;
}

/** A message from the server: flat, or in the envelope. */
export interface SocketMessage {
  readonly type: string;
  readonly timestamp?: string | number;
  readonly data?: any;
  readonly [field: string]: any;
}

/** A message to the server. Data may stand under `data` or, on `/ws`, beside it. */
export interface OutgoingMessage {
  readonly type: string;
  readonly id?: string;
  readonly data?: unknown;
  readonly [field: string]: unknown;
}

/** The answer to a message that was accepted. */
export interface SocketAnswer {
  readonly ok: true;
  readonly seq?: number;
  readonly cursor?: string;
  readonly version?: number;
  readonly data?: any;
  readonly [field: string]: any;
}

/** What to hear of. The names of one channel may be given in any of these ways, and several at once. */
export interface SubscriptionRequest {
  readonly channel?: string;
  readonly channels?: readonly string[];
  /** The same as `channel`. */
  readonly resource?: string;
  /** `session:<id>`; messages of the client are passed on there from now on. */
  readonly sessionId?: string;
  readonly session?: string;
  /** `agent:<id>`; `events` may then be `status`, `task_update`, `metrics`, `log`, `error`. */
  readonly agentId?: string;
  /** `workflow:<id>`. */
  readonly workflowId?: string;
  /** Only events of these types. */
  readonly types?: readonly string[];
  /** The same as `types`. */
  readonly events?: readonly string[];
  /** Begin after this cursor, or with one channel after this seq. */
  readonly since?: string | number;
}

/** A subscription that the server has confirmed. It is restored at each reconnect, until it is ended. */
export interface Subscription {
  readonly id: string;
  readonly channels: readonly string[];
  unsubscribe(): Promise<void>;
}

/**
 * `idle`: not connected yet · `connecting` · `open` · `waiting`: between two attempts · `closed`: by the client ·
 * `failed`: given up.
 */
export type SocketState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed' | 'failed';

/** A change of the state. */
export interface StateChange {
  readonly state: SocketState;
  /** Why the last connection ended: `code` as in the close frame, 1006 without one. */
  readonly close?: { readonly code: number; readonly reason: string };
  /** Failed attempts in a row. */
  readonly attempts: number;
  /** How long the client waits before the next attempt, in `waiting`. */
  readonly retryInMs?: number;
}

/** Not everything that was missed can be had. */
export interface Reset {
  /** Of this channel; without one, of all of them. */
  readonly channel?: string;
  readonly reason?: string;
  /** The state of a project, from which its events go on. */
  readonly snapshot?: any;
  readonly message: SocketMessage;
}

/** A message that was not sent, or whose fate is unknown, and nobody awaited its answer. */
export interface Dropped {
  readonly message: OutgoingMessage;
  readonly error: Error;
}

export type { ErrorCode };
