// The address of a connection: where the server is, who comes, and where it goes on.

import type { SocketOptions } from './types.js';

/** What changes from one connection to the next. */
export interface Arrival {
  /** Who comes, if the address is to show it. */
  readonly token: string | undefined;
  readonly apiKey: string | undefined;
  readonly cursor: string | undefined;
  readonly sessionId: string | undefined;
  readonly channels: readonly string[];
}

/** The URL of the server; `http` becomes `ws`, and an address without a host is the page's own. */
export function serverUrl(address: string | URL): URL {
  const page = (globalThis as { location?: { href?: string } }).location?.href;
  const url = new URL(address, page);
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new TypeError(`${address} is no address of a WebSocket`);
  url.hash = '';
  return url;
}

/** Takes what this client sets itself out of the query of an address, as if it had been given as options. */
export function optionsIn(url: URL): Pick<SocketOptions, 'sessionId' | 'channels' | 'cursor'> {
  const take = (key: string): string | undefined => {
    const value = url.searchParams.get(key) ?? undefined;
    url.searchParams.delete(key);
    return value === '' || value === 'undefined' || value === 'null' ? undefined : value;
  };
  const [sessionId, channels, cursor] = [take('sessionId'), take('channels'), take('cursor')];
  return {
    ...(sessionId !== undefined && { sessionId }),
    ...(channels !== undefined && { channels: channels.split(',').map((name) => name.trim()).filter(Boolean) }),
    ...(cursor !== undefined && { cursor }),
  };
}

/** The address of the next connection. */
export function addressOf(server: URL, options: SocketOptions, arrival: Arrival): string {
  const url = new URL(server);
  const set = (key: string, value: string | number | boolean | undefined) => {
    if (value !== undefined && value !== '') url.searchParams.set(key, String(value));
  };
  for (const [key, value] of Object.entries(options.query ?? {})) set(key, value);
  if (options.compressed) set('compressed', 1);
  set('userId', options.userId);
  set('sessionId', arrival.sessionId);
  set('channels', arrival.channels.join(','));
  set('cursor', arrival.cursor);
  set('token', arrival.token);
  set('apiKey', arrival.apiKey);
  return url.href;
}
