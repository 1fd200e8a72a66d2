// The chat agent's `WebSocketManager`, as its pages use it: everybody, one client, some clients, health, heartbeats, batches.
// The backend's calls are requests to `POST /api/publish`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from './server.mjs';
import { Plain } from './sockets.mjs';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** `broadcastToClients` and `sendToClient`. */
function manager(server) {
  const publish = async (body) => {
    const answer = await fetch(`${server.url}/api/publish`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 201);
    return answer.json();
  };
  return {
    broadcastToClients: (type, data, where) => publish({ channel: 'broadcast', type, data, ...(where && { where }) }),
    sendToClient: (clientId, type, data) => publish({ channel: `client:${clientId}`, type, data }),
  };
}

test('everybody, one client and some clients are told, and the backend hears how many', async (t) => {
  const server = await Server.start(t);
  const webSocketManager = manager(server);
  const clients = ['/', '/ws', '/?channels=ide'].map((path) => Plain.open(t, server, path));
  const ids = [];
  for (const client of clients) ids.push((await client.next('connection')).clientId);
  const hello = { id: 'msg-123', content: 'Hello, everyone!', timestamp: new Date().toISOString() };
  assert.equal((await webSocketManager.broadcastToClients('messageReceived', hello)).reached, 3);
  for (const client of clients) assert.deepEqual((await client.next('messageReceived')).data, hello);
  const sent = await webSocketManager.sendToClient(ids[1], 'privateMessage', { content: 'Private message for you' });
  assert.deepEqual(sent, { ok: true, success: true, channel: `client:${ids[1]}`, reached: 1 });
  assert.equal((await clients[1].next('privateMessage')).data.content, 'Private message for you');
  const data = { port: 9222, status: 'active', workspacePath: '/path/to/workspace' };
  assert.equal((await webSocketManager.broadcastToClients('ideStatusChanged', data, { subscribed: 'ide' })).reached, 1);
  assert.deepEqual((await clients[2].next('ideStatusChanged')).data, data);
  for (const client of clients) assert.deepEqual(client.heard, []);
});

test('heartbeats and the status come to everybody by setting, and the health is what the page shows', async (t) => {
  const server = await Server.start(t, { WEBSOCKET_HEARTBEAT: 'true', CONNECTION_STATUS: 'true', WEBSOCKET_PING_INTERVAL: '600ms', PING_TIMEOUT: '2s' });
  const client = Plain.open(t, server, '/');
  const status = await client.next('connectionStatus');
  assert.equal(status.data.connected, true);
  const heartbeat = await client.next('heartbeat');
  assert.match(heartbeat.data.timestamp, ISO);
  const data = { connected: true, activePort: 9222, availablePorts: [9222, 9223] };
  await manager(server).broadcastToClients('connectionStatus', data);
  assert.deepEqual((await client.next('connectionStatus')).data, data);
  const health = await (await fetch(`${server.url}/api/websocket/status`)).json();
  assert.deepEqual(Object.keys(health), ['success', 'data']);
  assert.deepEqual(Object.keys(health.data).sort(), ['clients', 'connected', 'lastActivity', 'messageCount', 'uptime']);
  assert.deepEqual([health.success, health.data.connected, health.data.clients], [true, true, 1]);
  assert.match(health.data.lastActivity, ISO);
});

test('a batch has its messages under data', async (t) => {
  const server = await Server.start(t);
  const client = Plain.open(t, server, '/?batch=500');
  await client.next('connection');
  const queue = [1, 2, 3].map((number) => ({ channel: 'broadcast', type: 'messageReceived', data: { number } }));
  const answer = await fetch(`${server.url}/api/publish`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(queue),
  });
  assert.equal(answer.status, 200);
  const batch = await client.next('batchUpdate');
  assert.deepEqual(batch.messages, batch.data.messages);
  assert.deepEqual(
    batch.data.messages.map((message) => message.data.number),
    [1, 2, 3],
  );
});
