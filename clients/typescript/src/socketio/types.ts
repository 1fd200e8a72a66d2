// What `connect` is given, and what it gives.

import type { ManagerOptions, SocketOptions as IoSocketOptions } from 'socket.io-client';
import type { BackoffOptions } from '../backoff.js';
import type {
  AnswerOf, ChannelEvent, ClientToServerEvents, EventStyle, Id, JoinAnswer, PayloadOf, ProjectState, Refused, ServerToClientEvents,
} from '../generated.js';
import type { QueueOptions, StateChange, TokenSource } from '../socket/types.js';

/** Options of `connect`. */
export interface ConnectOptions {
  /** Who the client is, where the server wants a token. */
  readonly token?: TokenSource;
  readonly apiKey?: string;
  /** Who the client says it is, on a server that verifies no tokens. */
  readonly userId?: string;
  /** Where it was when it was last here: what came after is heard first. */
  readonly cursor?: string;
  /** The spelling of the server's events. Their types are those of `colon`. */
  readonly eventStyle?: EventStyle;
  /** `false`: the client does not hear its own changes. */
  readonly echo?: boolean;
  /** More of what is shown when the client connects. */
  readonly auth?: Readonly<Record<string, unknown>>;
  /** How the client comes back; `false`: not at all. */
  readonly reconnect?: BackoffOptions | false;
  /** Bounds of the messages that wait for a connection. */
  readonly queue?: QueueOptions;
  /** How long the answer to a message may take, in milliseconds. 30 000 if it is missing. */
  readonly ackTimeoutMs?: number;
  /** How long a connection may take, in milliseconds. 5 000 if it is missing. */
  readonly connectTimeoutMs?: number;
  /** Options of socket.io-client, such as `transports` or `path`. */
  readonly io?: Partial<ManagerOptions & IoSocketOptions>;
}

/** Events that backends publish: `{ ai_progress: Progress }`, by their types. */
export type PublishedEvents = Record<string, unknown>;

/** How an event is heard: with its payload, and the cursor after it. */
export type HandlerOf<Published, Name> = Name extends '*'
  ? (name: string, payload: any, cursor?: string) => unknown
  : Name extends keyof ServerToClientEvents
    ? ServerToClientEvents[Name]
    : Name extends keyof Published
      ? (data: Published[Name], cursor?: string) => unknown
      : (data: any, cursor?: string) => unknown;

/** Names that can be listened to; others than these are any strings. */
export type EventName<Published> = keyof ServerToClientEvents | keyof Published | '*' | (string & {});

/** A name that the types do not know. */
export type OtherName<Name extends string> = Name extends keyof ClientToServerEvents ? never : Name;

/** The answer to a message, once it is accepted. */
export type AcceptedOf<Name extends keyof ClientToServerEvents> = Exclude<AnswerOf<Name>, Refused>;

/** How a project is joined. */
export interface JoinOptions {
  /** Whether the answer carries the state. */
  readonly snapshot?: boolean;
  /** Whether the server tells who comes and goes; without it, as it was asked when connecting. */
  readonly presence?: boolean;
  /** Events after this cursor or seq come first. */
  readonly since?: string | number;
}

/** What could not be continued. */
export interface ProjectOrChannelReset {
  readonly projectId?: Id;
  readonly channel?: string;
  readonly reason?: string;
  /** The state of a project, from which its events go on. */
  readonly snapshot?: ProjectState;
}

export type { ChannelEvent, JoinAnswer, PayloadOf, StateChange };
