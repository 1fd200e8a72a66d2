// The class that the relay's pages import from `@/services/websocket.service`.

import type { ClientToServerEvents, Id, PayloadOf } from '../generated.js';
import type { Unsubscribe } from '../listeners.js';
import { bareType } from '../socket/format.js';
import { BoardcastClient } from '../socketio/client.js';
import type { ConnectOptions, EventName, HandlerOf, OtherName } from '../socketio/types.js';

/** Where the relay of the pages listens. */
const DEFAULT_URL = 'http://localhost:8002';

/** Options of a `WebSocketService`. */
export interface ServiceOptions extends ConnectOptions {
  /** Projects that are joined with each `connect`. */
  readonly projects?: readonly Id[];
  /** `false`: a project that `send` names is not joined for that. */
  readonly autoJoin?: boolean;
}

interface Entry {
  readonly name: string;
  readonly handler: (...args: any[]) => unknown;
  stop: Unsubscribe;
}

/** The project of which a payload speaks: an id by itself, or `projectId`. */
function projectIn(payload: unknown): Id | undefined {
  const named = payload !== null && typeof payload === 'object' ? (payload as { projectId?: unknown }).projectId : payload;
  return typeof named === 'string' || typeof named === 'number' ? named : undefined;
}

export class WebSocketService {
  readonly #url: string;
  readonly #options: ServiceOptions;
  readonly #entries = new Set<Entry>();
  readonly #joined = new Set<string>();
  #client: BoardcastClient | undefined;

  /** A service of the server at `url`. It connects when it is told to. */
  constructor(url: string | URL = DEFAULT_URL, options: ServiceOptions = {}) {
    this.#url = String(url);
    this.#options = options;
  }

  /** The client behind it, while it is connected or tries to be. */
  get client(): BoardcastClient | undefined {
    return this.#client;
  }

  get isConnected(): boolean {
    return this.#client?.isConnected ?? false;
  }

  /** Connects; calling it again does nothing. */
  connect(): void {
    if (this.#client) return;
    this.#client = new BoardcastClient(this.#url, this.#options);
    for (const entry of this.#entries) entry.stop = this.#client.on(entry.name, entry.handler);
    for (const projectId of this.#options.projects ?? []) void this.#join(projectId);
  }

  /** Calls `handler` with what an event carries; returns how to stop. Handlers may be added before `connect`. */
  on<Name extends EventName<Record<string, unknown>>>(name: Name, handler: HandlerOf<Record<string, unknown>, Name>): Unsubscribe {
    const entry: Entry = { name: String(name), handler: handler as Entry['handler'], stop: () => {} };
    this.#entries.add(entry);
    if (this.#client) entry.stop = this.#client.on(entry.name, entry.handler);
    return () => {
      entry.stop();
      this.#entries.delete(entry);
    };
  }

  /**
   * Says something, now or when there is a connection. Nobody need await the answer. The project that it names is joined
   * first: who changes something hears what becomes of it.
   */
  send<Name extends keyof ClientToServerEvents>(name: Name, payload: PayloadOf<Name>): Promise<unknown>;
  send<Name extends string>(name: OtherName<Name>, payload?: unknown): Promise<unknown>;
  send(name: string, payload?: unknown): Promise<unknown> {
    this.connect();
    const client = this.#client as BoardcastClient;
    const projectId = projectIn(payload);
    const bare = bareType(name);
    if (projectId !== undefined && bare === 'joinproject') return this.#join(projectId);
    if (projectId !== undefined && bare === 'leaveproject') return this.#leave(projectId);
    const isPart = payload !== null && typeof payload === 'object';
    if (projectId !== undefined && isPart && this.#options.autoJoin !== false) void this.#join(projectId);
    const sent = client.emit(name, payload);
    sent.catch(() => {}); // `client.onDrop` tells.
    return sent;
  }

  /** Ends the connection. Handlers stay for another `connect`. */
  disconnect(): void {
    this.#client?.close();
    this.#client = undefined;
    this.#joined.clear();
  }

  #join(projectId: Id): Promise<unknown> {
    if (this.#joined.has(String(projectId))) return Promise.resolve();
    this.#joined.add(String(projectId));
    const joined = (this.#client as BoardcastClient).join(projectId);
    // It may be there later: of a project that nobody may see nothing is heard until then.
    joined.catch(() => this.#joined.delete(String(projectId)));
    return joined;
  }

  #leave(projectId: Id): Promise<unknown> {
    this.#joined.delete(String(projectId));
    return (this.#client as BoardcastClient).leave(projectId);
  }
}
