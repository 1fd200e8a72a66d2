// The manager's methods, on the real server.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { RefusedError, WebSocketManager, getWebSocketManager } from '../dist/esm/index.js';
import { eventually, log, manager, Proxy, Server } from './support.mjs';

test('notifications reach their session, in the order of the calls and in the shapes of the page', async (t) => {
  const server = await Server.start(t);
  const { manager: ws, errors } = manager(t, server);
  ws.notifyAIStart('s', { prompt: 'Create component', mode: 'generate' });
  ws.notifyAIProgress('s', { chunksReceived: 25, contentLength: 1250 });
  ws.notifyAIError('s', new RangeError('too long'));
  const last = await ws.notifyAIComplete('s', { mode: 'generate', contentLength: 5000, chunks: 100 });
  assert.deepEqual([last.ok, last.channel, last.seq], [true, 'session:s', 4]);
  assert.deepEqual(await log(server, 'session:s'), [
    { type: 'ai_start', data: { task: { prompt: 'Create component', mode: 'generate' } } },
    { type: 'ai_progress', data: { progress: { chunksReceived: 25, contentLength: 1250 } } },
    { type: 'ai_error', data: { error: { message: 'too long', type: 'RangeError' } } },
    { type: 'ai_complete', data: { result: { mode: 'generate', contentLength: 5000, chunks: 100 } } },
  ]);
  assert.deepEqual(errors, []);
});

test('a message has its fields beside its type, and a batch is its messages', async (t) => {
  const server = await Server.start(t);
  const { manager: ws } = manager(t, server);
  await ws.broadcastToUser('ann', { type: 'notification', message: 'New update available' });
  assert.deepEqual(await log(server, 'user:ann'), [{ type: 'notification', data: { message: 'New update available' } }]);
  const messages = [{ type: 'step', number: 1 }, { type: 'step', data: { number: 2 } }];
  const sent = ws.broadcastToSession('s', { type: 'batch_update', messages });
  messages.length = 0;
  await sent;
  assert.deepEqual(await log(server, 'session:s'), [1, 2].map((number) => ({ type: 'step', data: { number } })));
});

test('figures are read without waiting, and are there soon after the start', async (t) => {
  const server = await Server.start(t);
  const { manager: ws } = manager(t, server, { statsMaxAgeMs: 0 });
  assert.deepEqual(ws.getStats(), { totalConnections: 0, activeConnections: 0, clients: [] });
  assert.equal(ws.getHealthStatus().connected, false);
  await eventually(() => ws.getHealthStatus().connected, 'the server says that it is there');
  assert.equal((await ws.fetchStats()).activeConnections, 0);
  const { connected, clients, uptime, messageCount } = await ws.fetchHealthStatus();
  assert.deepEqual([connected, clients, typeof uptime, messageCount], [true, 0, 'number', 0]);
  assert.deepEqual(ws.getActiveClients(), []);
  ws.cleanupDisconnectedClients();
  await server.stop('SIGKILL');
  assert.equal((await ws.fetchHealthStatus()).connected, false);
});

test('what is refused is an error, also for who awaits nothing', async (t) => {
  const server = await Server.start(t);
  const { manager: ws, errors } = manager(t, server);
  ws.publish('a b', 'step');
  await assert.rejects(ws.notifyAIStart('a b', {}), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.deepEqual([error.code, error.status], ['validation_failed', 422]);
    return true;
  });
  await eventually(() => errors.length === 2, 'both are told');
  await ws.broadcastToClients('heartbeat', { timestamp: new Date().toISOString() });
  assert.match(errors.at(-1).message, /WEBSOCKET_HEARTBEAT/);
});

test('cut and killed meanwhile, every message is published once and in order', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const { manager: ws, errors } = manager(t, proxy);
  const channels = ['news', 'jobs', 'session:s'];
  const sent = [];
  for (let number = 1; number <= 60; number += 1) {
    for (const channel of channels) sent.push(ws.publish(channel, 'step', { number }));
  }
  let published = 0;
  for (const each of sent) each.then(() => (published += 1));
  for (const done of [30, 60, 90, 120, 150]) {
    await eventually(() => published >= done, `${done} are published`);
    proxy.cut();
    if (done !== 90) continue;
    await server.stop('SIGKILL');
    await server.start();
  }
  await ws.flush();
  assert.deepEqual(errors, []);
  for (const channel of channels) {
    assert.deepEqual((await log(server, channel)).map(({ data }) => data.number), Array.from({ length: 60 }, (_, at) => at + 1));
  }
});

test('the address and the key may stand in the environment, and one manager serves the process', async (t) => {
  const server = await Server.start(t);
  process.env.BOARDCAST_URL = server.url;
  t.after(() => delete process.env.BOARDCAST_URL);
  const ws = getWebSocketManager();
  assert.equal(getWebSocketManager(), ws);
  await ws.notifyAIStart('s', {});
  // A page gives its own HTTP server, and its bus.
  const { WebSocketManager: Required } = createRequire(import.meta.url)('../dist/cjs/index.js');
  await new Required({ listen() {} }, { subscribe() {} }).notifyAIStart('s', {});
  assert.equal((await log(server, 'session:s')).length, 2);
  assert.throws(() => new WebSocketManager('ws://localhost'), /no address over HTTP/);
});
