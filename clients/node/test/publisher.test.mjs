// What is sent, and when it is sent again: on servers that do what no real one does on demand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClosedError, QueueFullError, RefusedError, UnreachableError } from '../dist/esm/index.js';
import { eventually, manager, stub } from './support.mjs';

const taken = ({ channel }) => [201, { ok: true, success: true, channel, seq: 1 }];
const busy = [503, { code: 'unavailable', error: 'later', retryable: true }];

test('what was not answered is sent again under its key, and what follows waits for it', async (t) => {
  const answers = [undefined, busy, [502, 'a proxy']];
  const server = await stub(t, (body, _, number) => (number <= answers.length ? answers[number - 1] : taken(body)));
  const { manager: ws } = manager(t, server);
  await Promise.all([1, 2].map((number) => ws.publish('news', 'step', { number })));
  assert.deepEqual(server.heard.map(({ body }) => body.data.number), [1, 1, 1, 1, 2]);
  const keys = server.heard.map(({ key }) => key);
  assert.equal(new Set(keys.slice(0, 4)).size, 1);
  assert.notEqual(keys[3], keys[4]);
});

test('to connected clients a message goes once: it is repeated only if it had no effect', async (t) => {
  const answers = [busy, undefined];
  const server = await stub(t, (body, _, number) => (number <= answers.length ? answers[number - 1] : taken(body)));
  const { manager: ws } = manager(t, server);
  await assert.rejects(ws.broadcastToClients('step', {}), UnreachableError);
  await ws.sendToClient('c', 'step', {});
  assert.deepEqual(server.heard.map(({ body, key }) => [body.channel, key]), [
    ['broadcast', undefined], ['broadcast', undefined], ['client:c', undefined],
  ]);
});

test('a message is as it was when it was given, with its condition', async (t) => {
  const server = await stub(t, taken);
  const { manager: ws } = manager(t, server);
  const data = { port: 9222 };
  const sent = ws.broadcastToClients('ideStatusChanged', data, { subscribed: 'ide', version: '<2.0' });
  data.port = 0;
  await sent;
  assert.deepEqual(server.heard[0].body, {
    channel: 'broadcast', type: 'ideStatusChanged', data: { port: 9222 }, where: { subscribed: 'ide', version: '<2.0' },
  });
});

test('messages of a batch go one by one', async (t) => {
  const server = await stub(t, taken);
  const { manager: ws } = manager(t, server);
  const messages = [{ type: 'a', data: { n: 1 } }, { type: 'b', data: { n: 2 } }];
  const sent = ws.broadcastToClients('batchUpdate', { messages });
  messages.length = 0;
  await sent;
  assert.deepEqual(server.heard.map(({ body: { type, data } }) => ({ type, data })), [{ type: 'a', data: { n: 1 } }, { type: 'b', data: { n: 2 } }]);
});

test('what waits is bounded, and one channel does not hold up another', async (t) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const server = await stub(t, async (body) => {
    if (body.channel === 'slow') await held;
    return taken(body);
  });
  const { manager: ws, errors } = manager(t, server, { queue: { messages: 3 } });
  const slow = [ws.publish('slow', 'step'), ws.publish('slow', 'step')];
  await ws.publish('quick', 'step');
  const third = ws.publish('slow', 'step');
  await assert.rejects(ws.publish('slow', 'step'), QueueFullError);
  assert.deepEqual([ws.queued, errors.length], [3, 1]);
  release();
  await Promise.all([...slow, third]);
  assert.equal(ws.queued, 0);
  const small = manager(t, server, { queue: { size: 10 } }).manager;
  await assert.rejects(small.publish('quick', 'step'), QueueFullError);
});

test('a message is given up in time, and what the server refuses at once', async (t) => {
  const server = await stub(t, ({ channel }) => (channel === 'busy' ? busy : [403, { code: 'forbidden', error: 'not yours' }]));
  const { manager: ws } = manager(t, server, { patienceMs: 50 });
  await assert.rejects(ws.publish('busy', 'step'), { name: 'RefusedError', code: 'unavailable' });
  await assert.rejects(ws.publish('other', 'step'), RefusedError);
  assert.equal(server.heard.filter(({ body }) => body.channel === 'other').length, 1);
});

test('who publishes is shown', async (t) => {
  const server = await stub(t, taken);
  await manager(t, server, { apiKey: 'k' }).manager.publish('news', 'step');
  await manager(t, server, { token: async () => 't' }).manager.publish('news', 'step');
  assert.equal(server.heard[0].credential['x-api-key'], 'k');
  assert.equal(server.heard[1].credential.authorization, 'Bearer t');
});

test('a manager that is closed sends what waits, for a while, and takes nothing more', async (t) => {
  const server = await stub(t, (body, _, number) => (number === 1 ? taken(body) : busy));
  const { manager: ws } = manager(t, server);
  const [first, second] = [ws.publish('news', 'step'), ws.publish('news', 'step')];
  second.catch(() => {});
  await eventually(() => server.heard.length > 1, 'the second one is tried');
  await ws.close(20);
  assert.equal((await first).ok, true);
  await assert.rejects(second, ClosedError);
  await assert.rejects(ws.publish('news', 'step'), ClosedError);
});
