// What the tests of this package share: the real server, one that does what a test says, and a manager of the build.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { WebSocketManager } from '../dist/esm/index.js';

export { Server } from '../../../tests/clients/server.mjs';
export { Proxy } from '../../../tests/clients/proxy.mjs';
export { eventually } from '../../../tests/clients/wait.mjs';

/** A manager that ends with the test, and the errors that it tells. */
export function manager(t, { url }, options = {}) {
  const errors = [];
  const manager = new WebSocketManager({ url, onError: (error) => errors.push(error), ...options });
  t.after(() => manager.close(0));
  return { manager, errors };
}

/** What is kept on a channel: `{type, data}` of each event. */
export async function log({ url }, channel) {
  const response = await fetch(`${url}/api/channels/${encodeURIComponent(channel)}/events?since=0&limit=500`);
  return (await response.json()).events.map(({ type, data }) => ({ type, data }));
}

/** A server that answers a publication as `answer(body, headers, number)` says: `[status, body, headers]`, or nothing at all. */
export async function stub(t, answer) {
  const heard = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    if (request.method !== 'POST') return response.writeHead(404).end('{}');
    const body = JSON.parse(text);
    heard.push({ body, key: request.headers['idempotency-key'], credential: request.headers });
    const answered = await answer(body, request.headers, heard.length);
    if (!answered) return request.socket.destroy();
    const [status, said, headers = {}] = answered;
    return response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(said));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => (server.closeAllConnections(), server.close()));
  return { url: `http://127.0.0.1:${server.address().port}`, heard };
}
