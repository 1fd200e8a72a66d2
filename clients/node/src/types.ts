// What a manager is given, and what it gives.

/** Options of a `WebSocketManager`. */
export interface ManagerOptions {
  /** Where Boardcast is. `BOARDCAST_URL` if it is missing, and else `http://localhost:8002`. */
  readonly url?: string | URL;
  /** Shows who publishes. `BOARDCAST_API_KEY` if it and `token` are missing. */
  readonly apiKey?: string;
  /** The same with a token, or with what gets a fresh one. */
  readonly token?: string | (() => string | Promise<string>);
  /** Bounds of what waits to be sent. */
  readonly queue?: QueueOptions;
  /** How long a message is tried to be sent, in milliseconds. 30 000 if it is missing. */
  readonly patienceMs?: number;
  /** How long one request may take, in milliseconds. 10 000 if it is missing. */
  readonly timeoutMs?: number;
  /** Requests at the same time; those of one channel go one after the other. 16 if it is missing. */
  readonly concurrency?: number;
  /** The age from which figures are asked for anew, in milliseconds. 1 000 if it is missing. */
  readonly statsMaxAgeMs?: number;
  /** Told of each failure, also of those whose promise somebody awaits. Writes to `console.error` if it is missing. */
  readonly onError?: (error: Error) => void;
  /** In place of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

export interface QueueOptions {
  /** 10 000 if it is missing. */
  readonly messages?: number;
  /** Their JSON, in UTF-16 code units. 16 777 216 if it is missing. */
  readonly size?: number;
}

/** What the server says of a message that it has taken. */
export interface Published {
  readonly ok: true;
  readonly channel: string;
  /** On a channel with a log: its place in it. */
  readonly seq?: number;
  readonly id?: string;
  readonly cursor?: string;
  /** It was there before: the answer to a first attempt got lost. */
  readonly duplicate?: true;
  /** On `broadcast` and `client:<id>`: the number of connections that got it. */
  readonly reached?: number;
  readonly [field: string]: unknown;
}

/** Which of the connected clients are meant; all of it must hold. */
export interface Where {
  /** Subscribed to this channel, or to one of these. */
  readonly subscribed?: string | readonly string[];
  /** As the client has said in its handshake. */
  readonly clientType?: string | readonly string[];
  /** `<2.0`, `>=1.2 <2` */
  readonly version?: string;
  readonly userId?: string | number;
  readonly sessionId?: string | number;
}

/** A connected client, as `GET /api/ws/stats` lists it. */
export interface ClientInfo {
  readonly id: string;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly isAlive: boolean;
  readonly state: number | string;
  readonly [field: string]: any;
}

/** What `GET /api/ws/stats` says. */
export interface Stats {
  /** Since the start. */
  readonly totalConnections: number;
  /** Now. */
  readonly activeConnections: number;
  /** For administrators alone, once there is authentication. */
  readonly clients: readonly ClientInfo[];
  readonly [field: string]: any;
}

/** What `GET /api/websocket/status` says. */
export interface HealthStatus {
  readonly connected: boolean;
  readonly clients: number;
  readonly lastActivity: string | null;
  /** Seconds since the start. */
  readonly uptime: number;
  readonly messageCount: number;
  readonly [field: string]: any;
}

/** A message with its type among its fields. */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}
