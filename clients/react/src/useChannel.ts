import type { StreamData, StreamRevoked, Subscribed } from '@boardcast/client';
import { useMemo, type RefObject } from 'react';
import { listenToStream, type StreamState } from './eventStream.js';
import { useServer } from './provider.js';
import type { Server } from './server.js';
import { Store, useStore } from './store.js';
import { useLatest } from './useLatest.js';

/** What happened in a channel: `data` is what was published, or of a project's event what others hear as its payload. */
export interface ChannelMessage extends Omit<StreamData, 'message'> {
  readonly data: unknown;
}

type OnMessage = (message: ChannelMessage) => void;

export interface ChannelOptions {
  /** Hear events of these types alone. All of them if it is missing. */
  readonly types?: readonly string[];
  /** Events in the list, 50 if it is missing; older ones are forgotten. */
  readonly keep?: number;
  /** Called for each event, also for those between two renders. */
  readonly onMessage?: OnMessage;
}

export interface ChannelView {
  readonly state: StreamState;
  /** The latest first. */
  readonly messages: readonly ChannelMessage[];
}

const KEPT = 50;

/**
 * Channels over server-sent events. The browser comes back by itself, with the id of the last message that it got
 * (`Last-Event-ID`), and the server goes on there: nothing is missed and nothing comes twice. What cannot be had any
 * more is told by a message `reset`, and the list begins anew.
 */
export function useChannel(
  channels: string | readonly string[],
  { types, keep = KEPT, onMessage }: ChannelOptions = {},
): ChannelView {
  const server = useServer();
  const listener = useLatest(onMessage);
  // Lists are compared by what they say: those who call write them anew with each render.
  const path = pathOf(typeof channels === 'string' ? [channels] : channels, types ?? []);
  const store = useMemo(() => new ChannelStore(server, path, keep, listener), [server, path, keep, listener]);
  return useStore(store);
}

function pathOf(channels: readonly string[], types: readonly string[]): string {
  const query = new URLSearchParams(channels.map((channel) => ['channel', channel]));
  if (types.length > 0) query.set('types', types.join(','));
  return `/api/events?${query}`;
}

class ChannelStore extends Store<ChannelView> {
  readonly #server: Server;
  readonly #path: string;
  readonly #keep: number;
  readonly #listener: RefObject<OnMessage | undefined>;

  constructor(server: Server, path: string, keep: number, listener: RefObject<OnMessage | undefined>) {
    super({ state: 'connecting', messages: [] });
    this.#server = server;
    this.#path = path;
    this.#keep = keep;
    this.#listener = listener;
  }

  protected override open(): () => void {
    return listenToStream(() => this.#server.address(this.#path), ['message', 'reset', 'access_revoked'], {
      onState: (state) => this.change({ state }),
      onMessage: (name, data) => this.#hear(name, JSON.parse(data)),
    });
  }

  #hear(name: string, data: unknown): void {
    if (name === 'reset') {
      const { channel, reason } = data as Subscribed;
      return this.#add({ channel, type: 'reset', data: { reason } }, []);
    }
    if (name === 'access_revoked') {
      const { channel, reason } = data as StreamRevoked;
      return this.#add({ channel, type: 'access_revoked', data: { reason } });
    }
    const { message, ...said } = data as StreamData;
    this.#add({ ...said, data: message });
  }

  #add(message: ChannelMessage, known = this.read().messages): void {
    this.change({ messages: [message, ...known].slice(0, this.#keep) });
    this.#listener.current?.(message);
  }
}
