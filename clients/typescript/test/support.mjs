// What the tests of this package share: the real server, a proxy before it that can be cut, and a client of the build.

import { Proxy } from '../../../tests/clients/proxy.mjs';
import { Server } from '../../../tests/clients/server.mjs';
import { eventually } from '../../../tests/clients/wait.mjs';
import WebSocket from 'ws';
import { BoardcastSocket } from '../dist/esm/index.js';

export { Proxy, Server, eventually };
export { within } from '../../../tests/clients/wait.mjs';

/** Comes back soon, so that tests do. */
export const SOON = { minDelayMs: 5, maxDelayMs: 40 };

/** A client that ends with the test. It keeps the events that it hears. */
export function open(t, { url }, path = '/ws', options = {}) {
  const socket = new BoardcastSocket(url + path, { WebSocket, reconnect: SOON, connectTimeoutMs: 1_000, ...options });
  t.after(() => socket.close());
  const heard = [];
  socket.on('*', (message) => heard.push(message));
  return { socket, heard, of: (type) => heard.filter((message) => message.type === type) };
}

/** Publishes as a backend does; the answer. */
export async function publish({ url }, channel, type, data, headers = {}) {
  const response = await fetch(`${url}/api/publish`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ channel, type, data }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer;
}
