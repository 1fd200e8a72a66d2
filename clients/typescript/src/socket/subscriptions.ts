// What a client wants to hear, whether it is connected or not. The server is asked for one subscription per channel, to
// the types of all subscriptions to it together.

import { bareType } from './format.js';
import type { SubscriptionRequest } from './types.js';

/** What a subscription names. */
export interface Wish {
  readonly channels: readonly string[];
  /** Of these types alone; all of them if it is missing. */
  readonly types: readonly string[] | undefined;
  readonly since: string | number | undefined;
  /** The session that the client enters by it. */
  readonly session: string | undefined;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** A channel that is wanted. */
export class Channel {
  readonly wishes = new Map<string, Wish>();
  /** The types that the server was told, as a key; `undefined` before it has confirmed any. */
  confirmed: string | undefined;
  /** A cursor brought it, with the types that it had: the server need not be asked until somebody wants it here, too. */
  isAdopted = false;
  /** Where the first subscription to it is to begin. */
  since: string | number | undefined;
  readonly waiters: Waiter[] = [];

  constructor(readonly name: string) {}

  /** The types to ask for; none if every type is wanted. */
  get types(): string[] {
    const types = new Set<string>();
    for (const { types: wanted } of this.wishes.values()) {
      if (!wanted) return [];
      for (const type of wanted) types.add(type);
    }
    return [...types].sort();
  }

  /** Whether the server sends everything that is wanted: more than that is left out here. */
  get isCovered(): boolean {
    if (this.confirmed === undefined) return false;
    if (this.confirmed === '') return true;
    const told = this.confirmed.split(' ');
    const { types } = this;
    return types.length > 0 && types.every((type) => told.includes(type));
  }

  /** Whether somebody wants an event of this type. */
  wants(type: string): boolean {
    const { types } = this;
    return types.length === 0 || types.some((wanted) => bareType(wanted) === bareType(type));
  }

  /** The server has confirmed these types. */
  confirm(types: readonly string[]): void {
    this.confirmed = types.join(' ');
    this.since = undefined;
    if (this.isCovered) for (const waiter of this.waiters.splice(0)) waiter.resolve();
  }

  /** Resolves once the server sends what is wanted. */
  covered(): Promise<void> {
    if (this.isCovered) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  fail(error: Error): void {
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }
}

/** Short names of an agent's events. */
const AGENT_EVENTS: Record<string, string> = {
  status: 'agent_status',
  task_update: 'agent_task_update',
  log: 'agent_log',
  logs: 'agent_log',
  metric: 'agent_metric',
  metrics: 'agent_metric',
  error: 'agent_error',
  errors: 'agent_error',
};

function agentEvent(name: string): string {
  const type = AGENT_EVENTS[name] ?? (name.startsWith('agent_') || name === '*' ? name : undefined);
  if (type) return type;
  throw new TypeError(`events: an agent has no ${name}, but ${Object.keys(AGENT_EVENTS).join(', ')}`);
}

/** What a request means; `TypeError` if it names nothing. */
export function wishOf(request: string | readonly string[] | SubscriptionRequest): Wish {
  const named: SubscriptionRequest =
    typeof request === 'string' ? { channel: request } : Array.isArray(request) ? { channels: request } : (request as SubscriptionRequest);
  const session = named.sessionId ?? named.session;
  const one = named.channel ?? named.resource;
  const channels = [
    ...(session !== undefined ? [`session:${session}`] : []),
    ...(named.agentId !== undefined ? [`agent:${named.agentId}`] : []),
    ...(named.workflowId !== undefined ? [`workflow:${named.workflowId}`] : []),
    ...(one !== undefined ? [one] : []),
    ...(named.channels ?? []),
  ];
  if (channels.length === 0) {
    throw new TypeError('a subscription names a channel: channel, channels, resource, sessionId, agentId or workflowId');
  }
  const listed = named.types ?? named.events;
  const types = named.agentId !== undefined ? listed?.map(agentEvent) : listed;
  return {
    channels: [...new Set(channels)],
    types: !types || types.length === 0 || types.includes('*') ? undefined : [...types],
    since: named.since,
    session: session === undefined ? undefined : String(session),
  };
}

/** All channels that are wanted, by their names. */
export class Subscriptions {
  readonly channels = new Map<string, Channel>();
  #ids = 0;

  /** Adds a wish; its id. */
  add(wish: Wish): string {
    const id = `s${(this.#ids += 1)}`;
    for (const name of wish.channels) {
      const channel = this.channels.get(name) ?? new Channel(name);
      this.channels.set(name, channel);
      channel.wishes.set(id, wish);
      channel.isAdopted = false;
      if (wish.since !== undefined) {
        channel.since = wish.since;
        channel.confirmed = undefined;
      }
    }
    return id;
  }

  has(id: string): boolean {
    for (const channel of this.channels.values()) if (channel.wishes.has(id)) return true;
    return false;
  }

  /** Takes over what a cursor brought of which nobody here knows. */
  adopt(names: readonly string[]): void {
    const unknown = names.filter((name) => !this.channels.has(name));
    if (unknown.length > 0) this.add({ channels: unknown, types: undefined, since: undefined, session: undefined });
    for (const name of unknown) (this.channels.get(name) as Channel).isAdopted = true;
  }

  /** Removes a wish; the channels that nobody wants any more. */
  remove(id: string): string[] {
    const unwanted = [];
    for (const channel of [...this.channels.values()]) {
      if (channel.wishes.delete(id) && channel.wishes.size === 0) {
        this.channels.delete(channel.name);
        unwanted.push(channel.name);
      }
    }
    return unwanted;
  }

  /** Removes every wish for a channel; whether there was one. */
  drop(name: string, error: Error): boolean {
    const channel = this.channels.get(name);
    this.channels.delete(name);
    channel?.fail(error);
    return channel !== undefined;
  }

  /** On a new connection nothing is confirmed but what the server says that it sends. */
  reconnected(heard: ReadonlySet<string>): void {
    for (const channel of this.channels.values()) {
      if (heard.has(channel.name)) continue;
      channel.confirmed = undefined;
      channel.isAdopted = false;
    }
  }

  /** The channels for which the server is to be asked, those with the same types and the same beginning together. */
  open(): Channel[][] {
    const groups = new Map<string, Channel[]>();
    for (const channel of this.channels.values()) {
      if (channel.isCovered || channel.isAdopted) continue;
      const key = JSON.stringify([channel.types, channel.since]);
      const group = groups.get(key) ?? [];
      groups.set(key, group);
      group.push(channel);
    }
    return [...groups.values()];
  }
}
