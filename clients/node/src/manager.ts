// The `WebSocketManager` that backends written around `ws` have, over Boardcast's HTTP API.

import { Figures } from './figures.js';
import { Http } from './http.js';
import { Publisher } from './publisher.js';
import type { ClientInfo, HealthStatus, ManagerOptions, Message, Published, Stats, Where } from './types.js';

const STATS_MAX_AGE_MS = 1_000;
const CLOSE_GRACE_MS = 5_000;
const NO_STATS: Stats = { totalConnections: 0, activeConnections: 0, clients: [] };
const NO_STATUS: HealthStatus = { connected: false, clients: 0, lastActivity: null, uptime: 0, messageCount: 0 };

/** `batchUpdate`, in any spelling: the server alone gathers messages. */
const isBatch = (type: string): boolean => /^batch[:._-]?update$/i.test(type);
/** An address, or options; the HTTP server of a page's own says nothing of where Boardcast is. */
function optionsIn(server: unknown): ManagerOptions {
  if (typeof server === 'string' || server instanceof URL) return { url: server };
  const isOptions = server !== null && typeof server === 'object' && !('listen' in server);
  return isOptions ? (server as ManagerOptions) : {};
}

export class WebSocketManager {
  readonly #publisher: Publisher;
  readonly #stats: Figures<Stats>;
  readonly #status: Figures<HealthStatus>;
  readonly #onError: (error: Error) => void;
  #hasWarned = false;

  /**
   * A manager of the server whose address, or whose options, are given; of anything else `BOARDCAST_URL` is taken.
   * `eventBus` is accepted and not used: publish what it tells with `broadcastToClients`.
   */
  constructor(server?: string | URL | ManagerOptions | object, eventBus?: unknown) {
    void eventBus;
    const options = optionsIn(server);
    const http = new Http(options);
    const maxAgeMs = options.statsMaxAgeMs ?? STATS_MAX_AGE_MS;
    this.#publisher = new Publisher(http, options);
    this.#stats = new Figures(http, '/api/ws/stats', maxAgeMs, NO_STATS, (answer) => ({ ...answer, clients: answer.clients ?? [] }));
    this.#status = new Figures(http, '/api/websocket/status', maxAgeMs, NO_STATUS, ({ data }) => data);
    this.#onError = options.onError ?? ((error) => console.error(`boardcast: ${error.message}`));
    // So that the first reading finds something.
    void this.#stats.latest;
    void this.#status.latest;
  }

  /** An AI has begun: `ai_start` with `task` to those who hear the session. */
  notifyAIStart(sessionId: string, task: unknown): Promise<Published> {
    return this.publish(`session:${sessionId}`, 'ai_start', { task });
  }

  /** `ai_progress` with `progress`. */
  notifyAIProgress(sessionId: string, progress: unknown): Promise<Published> {
    return this.publish(`session:${sessionId}`, 'ai_progress', { progress });
  }

  /** `ai_complete` with `result`. */
  notifyAIComplete(sessionId: string, result: unknown): Promise<Published> {
    return this.publish(`session:${sessionId}`, 'ai_complete', { result });
  }

  /** `ai_error` with `error`; of an `Error` its message and its name. */
  notifyAIError(sessionId: string, error: unknown): Promise<Published> {
    const told = error instanceof Error ? { message: error.message, type: error.name } : error;
    return this.publish(`session:${sessionId}`, 'ai_error', { error: told });
  }

  /** A message, with its `type` among its fields, to all connections of a user. */
  broadcastToUser(userId: string, message: Message): Promise<Published> {
    return this.#broadcast(`user:${userId}`, message);
  }

  /** A message to those who hear a session. */
  broadcastToSession(sessionId: string, message: Message): Promise<Published> {
    return this.#broadcast(`session:${sessionId}`, message);
  }

  /**
   * A message to the plain WebSockets that are connected now: to all, to those of which `where` holds, or to those for
   * which a function of theirs, as `getActiveClients` lists them, is true. `reached` says how many got it.
   */
  broadcastToClients(type: string, data?: unknown, where?: Where | ((client: ClientInfo) => unknown)): Promise<Published> {
    if (/^heartbeat$/i.test(type)) return this.#heartbeat();
    const messages = isBatch(type) && (data as { messages?: unknown } | undefined)?.messages;
    if (Array.isArray(messages)) return this.#oneByOne(messages.map((each: Message) => this.broadcastToClients(each.type, dataOf(each), where)));
    if (typeof where === 'function') return this.#noted(this.#toThose(where, type, JSON.stringify(data ?? {})));
    return this.#published('broadcast', { type, data: data ?? {}, ...(where && { where }) });
  }

  /** A message to one client, by the `clientId` that it was greeted with. */
  sendToClient(clientId: string, type: string, data: unknown = {}): Promise<Published> {
    return this.publish(`client:${clientId}`, type, data);
  }

  /** Publishes on any channel. Messages of one channel go in the order of the calls; `data` is taken as it is now. */
  publish(channel: string, type: string, data: unknown = {}): Promise<Published> {
    return this.#published(channel, { type, data });
  }

  /** The figures of the WebSockets, as the server said last. Before its first answer they are 0. */
  getStats(): Stats {
    return this.#stats.latest;
  }

  /** The same, once the server has answered. */
  fetchStats(): Promise<Stats> {
    return this.#stats.fetch();
  }

  /** How the WebSockets are, as the server said last. Before its first answer, and when it cannot be reached, not `connected`. */
  getHealthStatus(): HealthStatus {
    return this.#status.latest;
  }

  fetchHealthStatus(): Promise<HealthStatus> {
    return this.#status.fetch().catch(() => NO_STATUS);
  }

  /** Who is connected, as the server said last; with authentication for administrators alone. */
  getActiveClients(): readonly ClientInfo[] {
    return this.getStats().clients;
  }

  /** Nothing is left to be done: the server closes who answers no ping. Asks for the figures anew. */
  cleanupDisconnectedClients(): void {
    this.fetchStats().catch(this.#onError);
  }

  /** Messages that wait or are on their way. */
  get queued(): number {
    return this.#publisher.length;
  }

  /** Resolves when everything was sent, or has failed. */
  flush(): Promise<void> {
    return this.#publisher.flushed();
  }

  /** Takes nothing more; what waits is sent, for 5 s at most. */
  close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    return this.#publisher.close(graceMs);
  }

  #broadcast(channel: string, message: Message): Promise<Published> {
    const { type, messages } = message;
    if (!isBatch(type) || !Array.isArray(messages)) return this.publish(channel, type, dataOf(message));
    return this.#oneByOne(messages.map((each: Message) => this.publish(channel, each.type, dataOf(each))));
  }

  /** Whoever wants a burst as one asks for it by `?batch=100`; the last answer, and how many were reached in all. */
  async #oneByOne(all: Array<Promise<Published>>): Promise<Published> {
    const answers = await Promise.all(all);
    return answers.at(-1) ?? { ok: true, channel: 'broadcast', reached: 0 };
  }

  /** The server says `heartbeat` itself, and nobody else may. */
  #heartbeat(): Promise<Published> {
    if (!this.#hasWarned) this.#onError(new Error('heartbeat is said by the server itself: start it with WEBSOCKET_HEARTBEAT=true'));
    this.#hasWarned = true;
    return Promise.resolve({ ok: true, channel: 'broadcast', reached: 0 });
  }

  async #toThose(isMeant: (client: ClientInfo) => unknown, type: string, data: string): Promise<Published> {
    const { clients } = await this.fetchStats();
    const those = clients.filter((client) => isMeant(client));
    const answers = await Promise.all(those.map(({ id }) => this.#publisher.publish(`client:${id}`, { type, data: JSON.parse(data) })));
    return { ok: true, channel: 'broadcast', reached: answers.reduce((sum, { reached }) => sum + (reached ?? 0), 0) };
  }

  #published(channel: string, event: { type: string } & Record<string, unknown>): Promise<Published> {
    return this.#noted(this.#publisher.publish(channel, event));
  }

  /** Nobody need await the promise: a failure is told all the same. */
  #noted(published: Promise<Published>): Promise<Published> {
    published.catch(this.#onError);
    return published;
  }
}

/** What a message carries: its `data`, or its fields beside the type. */
function dataOf({ type: _, ...fields }: Message): unknown {
  return Object.keys(fields).length === 1 && 'data' in fields ? fields['data'] : fields;
}

let shared: WebSocketManager | undefined;

/** The manager of this process. Options count where it is first asked for. */
export function getWebSocketManager(options?: ManagerOptions): WebSocketManager {
  shared ??= new WebSocketManager(options);
  return shared;
}
