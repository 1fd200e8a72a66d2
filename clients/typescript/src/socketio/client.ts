// Boardcast over Socket.IO: typed events, projects and channels that are still heard after the server was restarted, and
// messages with one effect.

import { isCommand, isRead, isSignal } from '../commands.js';
import { ClosedError, ConnectionLostError, RefusedError } from '../errors.js';
import type { ClientToServerEvents, Id, JoinAnswer, LeaveAnswer, PayloadOf, ProjectState, SubscribeAnswer, UnsubscribeAnswer } from '../generated.js';
import { Listeners, type Unsubscribe } from '../listeners.js';
import { bareType } from '../socket/format.js';
import { Outbox } from '../socket/outbox.js';
import type { Dropped, OutgoingMessage, SocketState } from '../socket/types.js';
import { wholeState } from '../state.js';
import { IoConnection, type AnySocket } from './connection.js';
import { Once } from './once.js';
import type {
  AcceptedOf, ConnectOptions, EventName, HandlerOf, JoinOptions, OtherName, ProjectOrChannelReset, StateChange,
} from './types.js';

/** How a client listens to channels. */
export interface ChannelOptions {
  readonly types?: readonly string[];
  readonly since?: string | number;
}

/** How long the server may take to say what it could not continue. */
const PING_MS = 5_000;

interface Published {
  [type: string]: unknown;
}

/** Connects to the server at `url`; without one, to the page's own. */
export function connect<Events extends Published = Published>(url?: string | URL, options: ConnectOptions = {}): BoardcastClient<Events> {
  return new BoardcastClient<Events>(url, options);
}

export class BoardcastClient<Events extends Published = Published> {
  readonly #connection: IoConnection;
  readonly #outbox: Outbox;
  readonly #once = new Once();
  readonly #projects = new Map<string, { id: Id; wish: { snapshot?: boolean; presence?: boolean } }>();
  readonly #channels = new Map<string, readonly string[]>();
  readonly #events = new Listeners<any[]>();
  readonly #states = new Listeners<[StateChange]>();
  readonly #resets = new Listeners<[ProjectOrChannelReset]>();
  readonly #drops = new Listeners<[Dropped]>();
  readonly #errors = new Listeners<[Error]>();
  readonly #token: ConnectOptions['token'];
  readonly #prefix = `${Math.random().toString(36).slice(2, 10)}${Date.now().toString(36)}`;
  /** Events of projects whose states are on their way in pages: they are told after the state, which is older. */
  readonly #held = new Map<string, Array<[name: string, args: unknown[]]>>();
  /** Projects and channels of which this connection begins anew: the client is in them. */
  readonly #resetTold = new Set<string>();
  #ids = 0;
  #cursor: string | undefined;
  #closed: ClosedError | undefined;
  #isFirst = true;

  constructor(url?: string | URL, options: ConnectOptions = {}) {
    this.#token = options.token;
    this.#cursor = options.cursor;
    this.#outbox = new Outbox(options.queue ?? {}, options.ackTimeoutMs ?? 30_000, (message, id) => this.#transmit(message, id));
    this.#connection = new IoConnection(url === undefined ? undefined : String(url), options, {
      onState: (change) => this.#states.emit('', change),
      onConnect: (isRecovered) => this.#connected(isRecovered),
      onDisconnect: () => this.#disconnected(),
      onEvent: (name, args) => this.#take(name, args),
      onError: (error) => this.#errors.emit('', error),
      onClosed: (error) => this.#ended(error),
    });
  }

  /** The socket of socket.io-client, for what this class does not know. Its handlers hear an event as often as it comes. */
  get socket(): AnySocket {
    return this.#connection.socket;
  }

  /** Where the client stands in all that it hears. Another client goes on there if it gets it as its option `cursor`. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  get state(): SocketState {
    return this.#connection.state;
  }

  get isConnected(): boolean {
    return this.state === 'open';
  }

  /** Messages that wait for a connection, or for their answers. */
  get queued(): number {
    return this.#outbox.length;
  }

  /** Resolves when there is a connection; rejects with `ClosedError` when the client was closed or has given up. */
  connected(): Promise<void> {
    if (this.isConnected) return Promise.resolve();
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const stop = this.onState(({ state }) => {
        if (state !== 'open' && state !== 'closed' && state !== 'failed') return;
        stop();
        if (state === 'open') resolve();
        // The error follows the change of state.
        else queueMicrotask(() => reject(this.#closed ?? new ClosedError('the client was closed')));
      });
    });
  }

  /** Connects again after `close`, or after the client has given up. */
  reconnect(): void {
    this.#closed = undefined;
    this.#connection.open();
  }

  close(): void {
    this.#connection.close();
  }

  /** Calls `handler` with each event of a name, once; returns how to stop. `*` hears every event, its name first. */
  on<Name extends EventName<Events>>(name: Name, handler: HandlerOf<Events, Name>): Unsubscribe {
    return this.#events.add(String(name), handler as (...args: any[]) => unknown);
  }

  onState(handler: (change: StateChange) => unknown): Unsubscribe {
    return this.#states.add('', handler);
  }

  /** Not everything that was missed can be had: go on from the `snapshot`, or read the state anew. */
  onReset(handler: (reset: ProjectOrChannelReset) => unknown): Unsubscribe {
    return this.#resets.add('', handler);
  }

  /** A message had no effect, or nobody knows. Its promise was rejected with the same error. */
  onDrop(handler: (dropped: Dropped) => unknown): Unsubscribe {
    return this.#drops.add('', handler);
  }

  /** Something failed that no promise tells. */
  onError(handler: (error: Error) => unknown): Unsubscribe {
    return this.#errors.add('', handler);
  }

  /** Joins a project, now and whenever the server does not know any more that the client has. */
  async join(projectId: Id, { snapshot = false, presence, since }: JoinOptions = {}): Promise<JoinAnswer> {
    // Before the answer, which an event may overtake.
    this.#once.joined(projectId);
    const wish = { ...(snapshot && { snapshot }), ...(presence !== undefined && { presence }) };
    const payload = { projectId, ...wish, ...(since !== undefined && { since }) };
    const answer = await this.emit('join:project', payload);
    this.#projects.set(String(projectId), { id: projectId, wish });
    return answer.snapshot ? { ...answer, snapshot: await this.#whole(projectId, answer.snapshot) } : answer;
  }

  async leave(projectId: Id): Promise<LeaveAnswer> {
    this.#projects.delete(String(projectId));
    const answer = await this.emit('leave:project', { projectId });
    this.#once.left(projectId);
    return answer;
  }

  /** Subscribes to channels, now and whenever the server does not know any more that the client has. */
  async subscribe(channels: string | readonly string[], { types, since }: ChannelOptions = {}): Promise<SubscribeAnswer> {
    const names = typeof channels === 'string' ? [channels] : [...channels];
    const payload = { channels: names, ...(types && { types: [...types] }), ...(since !== undefined && { since }) };
    const answer = await this.emit('subscribe', payload);
    for (const name of names) this.#channels.set(name, types ?? []);
    return answer;
  }

  async unsubscribe(channels: string | readonly string[]): Promise<UnsubscribeAnswer> {
    const names = typeof channels === 'string' ? [channels] : [...channels];
    for (const name of names) this.#channels.delete(name);
    return this.emit('unsubscribe', { channels: names });
  }

  /**
   * Says something, now or when there is a connection; the answer, once it is accepted. A command has one effect, however
   * often the connection breaks; rejected with `RefusedError` if it was refused.
   */
  emit<Name extends keyof ClientToServerEvents>(name: Name, payload: PayloadOf<Name>): Promise<AcceptedOf<Name>>;
  /** The same with an event that a dialect or `CUSTOM_EVENTS` names. */
  emit<Name extends string>(name: OtherName<Name>, payload?: unknown): Promise<any>;
  emit(name: string, payload?: unknown): Promise<any> {
    const message: OutgoingMessage = { type: name, data: payload };
    const sent = this.#send(message);
    // Who does not await the answer hears of a failure here.
    sent.catch((error: Error) => this.#drops.emit('', { message, error }));
    return sent;
  }

  async #send(message: OutgoingMessage): Promise<unknown> {
    if (this.#closed) throw new ClosedError('the client is closed');
    const { type } = message;
    if (isSignal(type) && !this.isConnected) throw new ConnectionLostError(`${type} is of no use without a connection`);
    return this.#outbox.add(`${this.#prefix}${(this.#ids += 1)}`, message, isCommand(type) || isRead(type));
  }

  #transmit({ type, data }: OutgoingMessage, id: string): boolean {
    const { socket } = this.#connection;
    if (!socket.connected) return false;
    // A key as the last argument is nobody's business: in the payload the others would hear it.
    const args = [...(data === undefined ? [] : [data]), ...(isCommand(type) ? [id] : [])];
    socket.emit(type, ...args, (answer: any) => {
      const isAnswer = answer !== null && typeof answer === 'object';
      this.#outbox.answered(id, !isAnswer || answer.ok !== false, isAnswer ? answer : { ok: true, data: answer });
    });
    return true;
  }

  #connected(isRecovered: boolean): void {
    this.#resetTold.clear();
    // The server has put a recovered client back where it was. Else it first says what it could not continue.
    if (!isRecovered && !this.#isFirst) this.#connection.socket.timeout(PING_MS).emit('ping', () => void this.#restore(this.#cursor));
    this.#isFirst = false;
    this.#outbox.flush();
  }

  #disconnected(): void {
    this.#once.disconnected();
    this.#outbox.disconnected(false);
  }

  #ended(error: ClosedError): void {
    this.#closed = error;
    this.#outbox.close(error);
  }

  /** Joins and subscribes again, from the last cursor on if there is one. */
  async #restore(since: string | undefined): Promise<void> {
    const from = since === undefined ? {} : { since };
    const isOpen = (name: string) => !this.#resetTold.has(name);
    const projects = [...this.#projects.values()].filter(({ id }) => isOpen(`project:${id}`));
    const joins = projects.map(async ({ id, wish }) => {
      const answer = await this.#send({ type: 'join:project', data: { projectId: id, ...wish, ...from } });
      this.#told({ projectId: id }, answer as JoinAnswer);
    });
    const subscriptions = [...this.#channels].filter(([name]) => isOpen(name)).map(async ([channel, types]) => {
      const data = { channel, ...(types.length > 0 && { types }), ...from };
      const answer = (await this.#send({ type: 'subscribe', data })) as SubscribeAnswer;
      for (const place of answer.channels) this.#told({ channel }, place);
    });
    const all = await Promise.allSettled([...joins, ...subscriptions]);
    for (const each of all) if (each.status === 'rejected') this.#errors.emit('', each.reason as Error);
  }

  /** A project's whole state, of which this may be the first page. Its events wait until the state has been told. */
  async #whole(projectId: Id, first: ProjectState): Promise<ProjectState> {
    if (first.nextPage === undefined) return first;
    const key = String(projectId);
    const held: Array<[string, unknown[]]> = this.#held.get(key) ?? [];
    this.#held.set(key, held);
    try {
      return await wholeState(first, async (page) => (await this.#send({ type: 'project:snapshot', data: { projectId, page } })) as ProjectState);
    } finally {
      // Whoever waits for the state gets it before these.
      setTimeout(() => {
        if (this.#held.get(key) === held) this.#held.delete(key);
        for (const [name, args] of held.splice(0)) this.#deliver(name, args);
      });
    }
  }

  #deliver(name: string, args: unknown[]): void {
    this.#events.emit(name, ...args);
    this.#events.emit('*', name, ...args);
  }

  /** What an answer says of what could not be had. */
  #told(of: ProjectOrChannelReset, answer: { reset?: unknown; reason?: unknown; snapshot?: unknown }): void {
    if (answer.reset !== true) return;
    this.#resetTold.add(of.channel ?? `project:${of.projectId}`);
    if (of.projectId !== undefined) this.#once.reset(of.projectId);
    const { reason, snapshot } = answer as Pick<ProjectOrChannelReset, 'reason' | 'snapshot'>;
    const tell = (whole: ProjectState | undefined) =>
      this.#resets.emit('', { ...of, ...(reason !== undefined && { reason }), ...(whole !== undefined && { snapshot: whole }) });
    if (snapshot?.nextPage === undefined) return tell(snapshot);
    void this.#whole(of.projectId ?? snapshot.projectId, snapshot).then(tell, (error: Error) => this.#errors.emit('', error));
  }

  #take(name: string, args: unknown[]): void {
    const [payload, cursor] = args as [any, unknown];
    const bare = bareType(name);
    if (bare === 'sessioncursor') {
      if (typeof payload === 'string') this.#cursor = payload;
      return;
    }
    if (bare === 'projectreset') this.#told({ projectId: payload.projectId }, payload);
    if (bare === 'channelreset') this.#told({ channel: payload.channel }, { ...payload, reset: true });
    if (bare === 'sessionreset') this.#resetAll(payload);
    if (bare === 'projectaccessrevoked') this.#projects.delete(String(payload.projectId));
    if (bare === 'channelaccessrevoked') this.#channels.delete(payload.channel);
    if (bare === 'authexpiring') void this.#refresh();
    if (this.#once.isNew(name, payload)) {
      const held = this.#held.size > 0 && this.#held.get(String(payload?.projectId));
      if (held) held.push([name, args]);
      else this.#deliver(name, args);
    }
    if (typeof cursor === 'string') this.#cursor = cursor;
  }

  #resetAll({ reason }: { reason?: string }): void {
    this.#once.resetAll();
    this.#resetTold.clear();
    this.#cursor = undefined;
    this.#resets.emit('', reason === undefined ? {} : { reason });
    void this.#restore(undefined);
  }

  /** Shows a newer token before the old one expires. */
  async #refresh(): Promise<void> {
    if (typeof this.#token !== 'function') return;
    try {
      const token = await this.#connection.token();
      if (token !== undefined) await this.#send({ type: 'auth:refresh', data: { token } });
    } catch (error) {
      this.#errors.emit('', error instanceof RefusedError ? error : (error as Error));
    }
  }
}
