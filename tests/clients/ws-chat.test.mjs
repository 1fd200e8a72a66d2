// The first of the systems that were there before: chats with an AI. A page follows a session; a backend tells how the
// answer gets on. Written only from the messages that it exchanges.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from './server.mjs';
import { Plain, publish } from './sockets.mjs';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

test('a page follows an answer from its start to its end', async (t) => {
  const server = await Server.start(t);
  const page = Plain.open(t, server, '/ws');
  const connection = await page.next('connection');
  assert.equal(connection.status, 'connected');
  assert.equal(typeof connection.clientId, 'string');
  assert.match(connection.timestamp, ISO);

  page.send({ type: 'subscribe', sessionId: 's' });
  const subscribed = await page.next('subscribed');
  assert.equal(subscribed.sessionId, 's');
  assert.match(subscribed.timestamp, ISO);

  const steps = [
    ['ai_start', { task: 'explain' }],
    ['ai_progress', { progress: { chunksReceived: 1, contentLength: 120 } }],
    ['ai_progress', { progress: { chunksReceived: 2, contentLength: 240 } }],
    ['ai_complete', { result: 'done' }],
    ['ai_error', { error: { message: 'too long', type: 'limit' } }],
  ];
  for (const [type, data] of steps) await publish(t, server, 'session:s', type, data);
  for (const [type, data] of steps) {
    const message = await page.next(type);
    assert.equal(message.sessionId, 's');
    assert.match(message.timestamp, ISO);
    assert.deepEqual(message.data, data);
    for (const [key, value] of Object.entries(data)) assert.deepEqual(message[key], value);
  }

  page.send({ type: 'ping' });
  assert.match((await page.next('pong')).timestamp, ISO);
  page.send('no JSON');
  assert.equal((await page.next('error')).error, 'Invalid message format');

  page.send({ type: 'unsubscribe', sessionId: 's' });
  assert.equal((await page.next('unsubscribed')).sessionId, 's');
  await publish(t, server, 'session:s', 'ai_start', { task: 'unheard' });
  page.send({ type: 'ping' });
  await page.next('pong');
  assert.deepEqual(page.heard, []);
});

test('a page that names its session in the address needs no subscription, and comes back where it was', async (t) => {
  const server = await Server.start(t);
  const page = Plain.open(t, server, '/?userId=ann&sessionId=s');
  await page.next('connection');
  await publish(t, server, 'session:s', 'ai_start', { task: 'explain' });
  const { cursor } = await page.next('ai_start');
  await publish(t, server, 'user:ann', 'notice', { text: 'hello' });
  assert.equal((await page.next('notice')).userId, 'ann');
  page.cut();
  await publish(t, server, 'session:s', 'ai_complete', { result: 1 });
  const again = Plain.open(t, server, `/?userId=ann&sessionId=s&cursor=${encodeURIComponent(cursor)}`);
  await again.next('connection');
  assert.deepEqual((await again.next('ai_complete')).result, 1);
  await again.next('notice');
});
