import { useMemo, type RefObject } from 'react';
import { listenToStream } from './eventStream.js';
import { useServer } from './provider.js';
import type { Server } from './server.js';
import { Store, useStore } from './store.js';
import { useLatest } from './useLatest.js';

/** The most events that a component keeps. */
const KEPT = 100;

/** What Boardcast tells of a channel, with any fields that its publisher chose. */
export interface StreamEvent {
  channel: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what backends publish is theirs
  message: any;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [field: string]: any;
}

export interface EventSourceOptions {
  /** Called for each event, also for those between two renders. */
  readonly onEvent?: (event: StreamEvent) => void;
}

export interface EventSourceView {
  readonly isConnected: boolean;
  /** The last 100 events, the oldest first. */
  readonly events: readonly StreamEvent[];
}

/**
 * Server-sent events of any address, `/api/events` for example. It comes back by itself, and Boardcast goes on there
 * where the last event was.
 */
export function useEventSource(url: string, { onEvent }: EventSourceOptions = {}): EventSourceView {
  const server = useServer();
  const listener = useLatest(onEvent);
  return useStore(useMemo(() => new EventStore(server, url, listener), [server, url, listener]));
}

class EventStore extends Store<EventSourceView> {
  readonly #server: Server;
  readonly #url: string;
  readonly #listener: RefObject<EventSourceOptions['onEvent']>;

  constructor(server: Server, url: string, listener: RefObject<EventSourceOptions['onEvent']>) {
    super({ isConnected: false, events: [] });
    this.#server = server;
    this.#url = url;
    this.#listener = listener;
  }

  protected override open(): () => void {
    return listenToStream(() => this.#server.address(this.#url), ['message'], {
      onState: (state) => this.change({ isConnected: state === 'open' }),
      onMessage: (_, data) => this.#add(data),
    });
  }

  #add(data: string): void {
    const event = parsed(data);
    if (event === undefined) return;
    this.change({ events: [...this.read().events.slice(1 - KEPT), event] });
    this.#listener.current?.(event);
  }
}

/** Undefined if it is no JSON: another server's keep-alive, for example. */
function parsed(data: string): StreamEvent | undefined {
  try {
    return JSON.parse(data) as StreamEvent;
  } catch {
    return undefined;
  }
}
