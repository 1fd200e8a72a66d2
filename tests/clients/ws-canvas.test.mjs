// A canvas, word for word as its page connects: sessions, tokens, messages of 100 MB, and who is connected.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from './server.mjs';
import { Plain } from './sockets.mjs';
import { REQUIRED, tokenOf } from './tokens.mjs';
import { eventually } from './wait.mjs';

const MEBIBYTE = 1024 * 1024;

async function publish(server, channel, type, data) {
  const body = JSON.stringify({ channel, type, data });
  const response = await fetch(`${server.url}/api/publish`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  assert.equal(response.status, 201);
}

test('a canvas changes its session and leaves it', async (t) => {
  const server = await Server.start(t);
  const canvas = Plain.open(t, server, '/ws?sessionId=test');
  const { clientId, status } = await canvas.next('connection');
  assert.equal(status, 'connected');
  assert.match(clientId, /^client_\d{13}_[0-9a-f]+$/);
  canvas.send({ type: 'subscribe', sessionId: 'test_session' });
  assert.equal((await canvas.next('subscribed')).sessionId, 'test_session');
  await publish(server, 'session:test', 'ai_start', {});
  await publish(server, 'session:test_session', 'ai_complete', { result: { mode: 'generate', chunks: 100 } });
  const complete = await canvas.next('ai_complete');
  assert.deepEqual([complete.sessionId, complete.result.chunks], ['test_session', 100]);
  assert.deepEqual(canvas.heard, [], 'nothing of the first session');
  const stats = await (await fetch(`${server.url}/api/ws/stats`)).json();
  assert.deepEqual(stats.clients.map(({ id, sessionId, state }) => [id, sessionId, state]), [[clientId, 'test_session', 1]]);
  for (const expected of ['test_session', undefined]) {
    canvas.send({ type: 'unsubscribe' });
    assert.equal((await canvas.next('unsubscribed')).sessionId, expected);
  }
});

test('a bad token is closed with 1008 at once', async (t) => {
  const server = await Server.start(t, REQUIRED);
  const bad = Plain.open(t, server, '/ws?token=nonsense');
  await eventually(() => bad.closed, 'it is closed');
  assert.deepEqual(bad.closed, { code: 1008, reason: 'Unauthorized' });
  const good = Plain.open(t, server, `/ws?token=${tokenOf('ann')}`);
  await good.next('connection');
});

test('a message of 32 MB reaches the others of a session', async (t) => {
  // The setting goes up to 100 MB, which takes a busy machine half a minute.
  const most = 32 * MEBIBYTE;
  const memory = { WEBSOCKET_MAX_MESSAGE: String(most), RECEIVE_MEMORY: String(most), SEND_MEMORY: String(4 * most),
    DATABASE_TIMEOUT: '60s' };
  const server = await Server.start(t, memory);
  const [canvas, other] = [1, 2].map(() => Plain.open(t, server, '/ws?sessionId=s', { maxPayload: 0, perMessageDeflate: false }));
  await Promise.all([canvas, other].map((plain) => plain.next('connection')));
  const frame = { type: 'canvas', id: 1, data: '' };
  frame.data = 'x'.repeat(most - JSON.stringify(frame).length);
  canvas.send(frame);
  const ack = await canvas.next('ack');
  assert.equal(ack.ok, true, JSON.stringify(ack));
  assert.equal((await other.next('canvas')).data.length, frame.data.length);
  canvas.send({ ...frame, data: `${frame.data}x` });
  await eventually(() => canvas.closed, 'a larger one ends the connection');
  assert.deepEqual(canvas.heard, [], 'nobody hears themselves');
  assert.equal(canvas.closed.code, 1009);
});
