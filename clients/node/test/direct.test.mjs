// Messages to clients that are connected, on the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { eventually, manager, Server } from './support.mjs';

/** A client as pages have them, and what it hears. */
async function page(t, server, path) {
  const socket = new WebSocket(server.url.replace('http', 'ws') + path);
  t.after(() => socket.terminate());
  const heard = [];
  socket.on('message', (text) => heard.push(JSON.parse(text)));
  await eventually(() => heard.length > 0, 'the greeting');
  const { clientId } = heard.shift();
  return { clientId, heard: () => heard.map(({ type, data }) => [type, data]) };
}

test('all clients are told, some, or one, and the answer says how many', async (t) => {
  const server = await Server.start(t);
  const [one, other] = [await page(t, server, '/'), await page(t, server, '/?sessionId=s')];
  const { manager: ws, errors } = manager(t, server);
  await ws.broadcastToClients('messageReceived', { n: 0 });
  await eventually(() => one.heard().length === 1 && other.heard().length === 1, 'the first message');
  const reached = async (sent) => (await sent).reached;
  assert.equal(await reached(ws.broadcastToClients('messageReceived', { n: 1 })), 2);
  assert.equal(await reached(ws.broadcastToClients('ideStatusChanged', { n: 2 }, { sessionId: 's' })), 1);
  assert.equal(await reached(ws.broadcastToClients('ideStatusChanged', { n: 3 }, (client) => client.sessionId === 's')), 1);
  assert.equal(await reached(ws.broadcastToClients('ideStatusChanged', { n: 4 }, (client) => client.subscribedToIDE)), 0);
  assert.equal(await reached(ws.sendToClient(one.clientId, 'privateMessage', { n: 5 })), 1);
  assert.equal(await reached(ws.sendToClient('client_1_none', 'privateMessage', {})), 0);
  await ws.broadcastToClients('batchUpdate', { messages: [{ type: 'a', data: { n: 6 } }, { type: 'b', data: { n: 7 } }] });
  const numbers = ({ heard }) => heard().map(([, { n }]) => n);
  await eventually(() => numbers(one).length === 5 && numbers(other).length === 6, 'every message');
  assert.deepEqual([numbers(one), numbers(other)], [[0, 1, 5, 6, 7], [0, 1, 2, 3, 6, 7]]);
  assert.deepEqual(errors, []);
});
