import type { StreamData, StreamRevoked, Subscribed } from 'boardcast';
import { useEffect, useState } from 'react';

export type StreamState = 'connecting' | 'open' | 'closed';

export type ChannelMessage = StreamData;

export interface ChannelOptions {
  /** Hear events of these types alone, each under its own name. All of them if it is missing. */
  readonly types?: readonly string[];
  /** Events in the list; older ones are forgotten. */
  readonly keep?: number;
}

export interface ChannelView {
  readonly state: StreamState;
  /** The latest first. */
  readonly messages: readonly ChannelMessage[];
}

/**
 * Channels over server-sent events. The browser comes back by itself, with the id of the last message that it got
 * (`Last-Event-ID`), and the server goes on there: nothing is missed and nothing comes twice.
 */
export function useChannel(
  url: string,
  channels: readonly string[],
  { types, keep = 50 }: ChannelOptions = {},
): ChannelView {
  const [state, setState] = useState<StreamState>('connecting');
  const [messages, setMessages] = useState<readonly ChannelMessage[]>([]);
  // Lists are compared by what they say: those who call write them anew with each render.
  const [heard, named] = [channels.join(','), types?.join(',') ?? ''];

  useEffect(() => {
    const query = new URLSearchParams({ channels: heard });
    if (named) {
      query.set('types', named);
      query.set('named', '1');
    }
    const source = new EventSource(`${url}/api/events?${query}`);
    const read = <T>(event: MessageEvent<string>): T => JSON.parse(event.data) as T;
    const add = (message: ChannelMessage) => setMessages((known) => [message, ...known].slice(0, keep));
    const onMessage = (event: MessageEvent<string>) => add(read<StreamData>(event));
    if (named) for (const name of named.split(',')) source.addEventListener(name, onMessage);
    else source.onmessage = onMessage;
    // What was missed is not kept any more: the list begins anew.
    source.addEventListener('reset', (event: MessageEvent<string>) => {
      const { channel, reason } = read<Subscribed>(event);
      setMessages([{ channel, type: 'reset', message: { reason } }]);
    });
    source.addEventListener('access_revoked', (event: MessageEvent<string>) => {
      const { channel, reason } = read<StreamRevoked>(event);
      add({ channel, type: 'access_revoked', message: { reason } });
    });
    source.onopen = () => setState('open');
    source.onerror = () => setState(source.readyState === EventSource.CLOSED ? 'closed' : 'connecting');
    return () => {
      source.close();
      setState('connecting');
      setMessages([]);
    };
  }, [url, heard, named, keep]);

  return { state, messages };
}
