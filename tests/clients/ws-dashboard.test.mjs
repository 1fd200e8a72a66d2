// The third of the systems that were there before: a dashboard. It asks for heartbeats and for bursts to come together,
// passes suggestions on, changes tasks, and shows who is connected.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from './server.mjs';
import { Plain, publish } from './sockets.mjs';

const json = async (server, path) => (await fetch(server.url + path)).json();

test('a dashboard hears heartbeats and bursts, and passes suggestions on', async (t) => {
  const server = await Server.start(t, { WEBSOCKET_PING_INTERVAL: '500ms' });
  const board = Plain.open(t, server, '/ws?userId=ann&sessionId=d&heartbeat=1&batch=200');
  const { clientId } = await board.next('connection');
  assert.match((await board.next('heartbeat')).timestamp, /Z$/);

  const mate = Plain.open(t, server, '/ws?userId=bob&sessionId=d');
  await mate.next('connection');
  for (let number = 0; number < 20; number += 1) mate.send({ type: 'suggestions', data: { number } });
  const batch = await board.next('batchUpdate');
  const numbers = batch.messages.map(({ type, number }) => (assert.equal(type, 'suggestions'), number));
  while (numbers.length < 20) {
    const more = await board.next(board.heard.some(({ type }) => type === 'suggestions') ? 'suggestions' : 'batchUpdate');
    numbers.push(...(more.messages ?? [more]).map(({ number }) => number));
  }
  assert.deepEqual(numbers, [...Array(20).keys()]);

  board.send({ type: 'suggestions', suggestions: [{ text: 'split it' }] });
  assert.deepEqual((await mate.next('suggestions')).suggestions, [{ text: 'split it' }]);
  await publish(t, server, 'user:ann', 'notice', { text: 'hello' });
  assert.equal((await board.next('notice')).data.text, 'hello');

  const stats = await json(server, '/api/ws/stats');
  assert.ok(stats.totalConnections >= 3, 'since the start');
  assert.equal(stats.activeConnections, stats.clients.length);
  const me = stats.clients.find(({ id }) => id === clientId);
  assert.match(clientId, /^client_\d{13}_[0-9a-f]{20}$/);
  assert.ok(Date.now() - Date.parse(me.lastActivity) < 60_000);
  assert.deepEqual(
    { ...me, isAlive: true, lastActivity: null },
    { id: clientId, type: null, version: null, userId: 'ann', sessionId: 'd', isAlive: true, lastActivity: null, state: 1 },
  );
  const status = await json(server, '/api/websocket/status');
  assert.equal(status.success, true);
  assert.equal(status.data.connected, true);
  assert.ok(status.data.clients >= 2 && status.data.messageCount > 22 && status.data.uptime >= 0);
  assert.ok(Date.now() - Date.parse(status.data.lastActivity) < 60_000);
});

test('a dashboard changes tasks and sees what others change', async (t) => {
  const server = await Server.start(t);
  const [board, mate] = [1, 2].map(() => Plain.open(t, server, '/ws'));
  await Promise.all([board, mate].map((plain) => plain.next('connection')));
  mate.send({ type: 'subscribe', channel: 'project:p' });
  await mate.next('subscribed');
  board.send({ type: 'task:create', id: 'x', data: { projectId: 'p', title: 'Draft' } });
  const { id, ok, data, version } = await board.next('ack');
  assert.deepEqual({ id, ok, version, title: data.title }, { id: 'x', ok: true, version: 1, title: 'Draft' });
  assert.equal((await mate.next('task:created')).title, 'Draft');
  board.send({ type: 'task:update', id: 'y', data: { projectId: 'p', taskId: data.id, title: 7 } });
  assert.equal((await board.next('ack')).id, 'y');
  board.send({ type: 'task:update', data: { projectId: 'p' } });
  const error = await board.next('error');
  assert.deepEqual([error.event, error.code, error.field], ['task:update', 'validation_failed', 'taskId']);
});
