// What a BoardcastSocket promises, on the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REQUIRED, tokenOf } from '../../../tests/clients/tokens.mjs';
import { BoardcastSocket, ClosedError, ConnectionLostError, QueueFullError, RefusedError } from '../dist/esm/index.js';
import { eventually, open, Proxy, publish, Server, SOON } from './support.mjs';

const PATHS = ['/ws', '/ws/v1'];

for (const path of PATHS) {
  test(`${path}: a handler hears its type until it is taken away`, async (t) => {
    const server = await Server.start(t);
    const { socket, of } = open(t, server, path);
    await socket.connect();
    const numbers = [];
    const stop = socket.on('step', ({ data }) => numbers.push(data.number));
    const { unsubscribe, channels } = await socket.subscribe({ channel: 'news', types: ['step', 'end'] });
    assert.deepEqual(channels, ['news']);
    await publish(server, 'news', 'step', { number: 1 });
    await publish(server, 'news', 'other', {});
    await publish(server, 'news', 'end', {});
    await eventually(() => of('end').length === 1, 'the end');
    stop();
    await publish(server, 'news', 'step', { number: 2 });
    await eventually(() => of('step').length === 2, 'the second step');
    assert.deepEqual(numbers, [1]);
    assert.equal(of('other').length, 0);
    await unsubscribe();
    await publish(server, 'news', 'step', { number: 3 });
    await socket.subscribe('fence');
    await publish(server, 'fence', 'fenced', {});
    await eventually(() => of('fenced').length === 1, 'the fence');
    assert.equal(of('step').length, 2);
  });

  test(`${path}: subscriptions of one channel are one, until the last one ends`, async (t) => {
    const server = await Server.start(t);
    const { socket, of } = open(t, server, path);
    await socket.connect();
    const first = await socket.subscribe({ channel: 'news', types: ['a'] });
    const second = await socket.subscribe({ channel: 'news', types: ['b'] });
    await first.unsubscribe();
    for (const type of ['a', 'b']) await publish(server, 'news', type, {});
    await eventually(() => of('b').length === 1, 'b');
    assert.equal(of('a').length, 0);
    await second.unsubscribe();
    await publish(server, 'news', 'b', {});
    await socket.subscribe({ channel: 'news', since: 2 });
    await eventually(() => of('b').length === 2, 'b once more');
  });

  test(`${path}: a command is answered, and a refusal is an error that tells why`, async (t) => {
    const server = await Server.start(t);
    const { socket } = open(t, server, path);
    await socket.connect();
    const answer = await socket.send('task:create', { projectId: 'p', title: 'Sow' });
    assert.deepEqual([answer.ok, answer.version, answer.data.title], [true, 1, 'Sow']);
    await assert.rejects(socket.send('task:update', { projectId: 'p' }), (error) => {
      assert.ok(error instanceof RefusedError);
      assert.deepEqual([error.code, error.field, error.retryable], ['validation_failed', 'taskId', false]);
      return true;
    });
    await assert.rejects(socket.subscribe('a b'), { code: 'validation_failed' });
  });

  test(`${path}: what is sent without a connection waits, within a bound that is told`, async (t) => {
    const server = await Server.start(t);
    const { socket } = open(t, server, path, { queue: { messages: 3 } });
    const dropped = [];
    socket.onDrop(({ message, error }) => dropped.push([message.data.id, error.constructor]));
    const create = (id) => socket.send('task:create', { projectId: 'p', id });
    const sent = ['1', '2', '3'].map(create);
    await assert.rejects(create('4'), QueueFullError);
    assert.equal(socket.queued, 3);
    await socket.connect();
    assert.deepEqual((await Promise.all(sent)).map(({ seq }) => seq), [1, 2, 3]);
    assert.deepEqual(dropped, [['4', QueueFullError]]);

    const latest = open(t, server, path, { queue: { messages: 2, whenFull: 'drop-oldest' } }).socket;
    const [oldest, ...kept] = ['5', '6', '7'].map((id) => latest.send('task:create', { projectId: 'p', id }));
    await assert.rejects(oldest, QueueFullError);
    await latest.connect();
    assert.deepEqual((await Promise.all(kept)).map(({ data }) => data.id), ['6', '7']);
    const small = open(t, server, path, { queue: { size: 10 } }).socket;
    await assert.rejects(small.send('task:create', { projectId: 'p' }), QueueFullError);
  });

  test(`${path}: a connection on which nothing passes is found out and replaced`, async (t) => {
    const server = await Server.start(t);
    const proxy = await Proxy.start(t, server);
    const { socket, of } = open(t, proxy, path, { pingIntervalMs: 40, pongTimeoutMs: 60 });
    const endings = [];
    socket.onState(({ state, close }) => state === 'waiting' && endings.push(close.reason));
    await socket.connect();
    await socket.subscribe('news');
    // Longer than both: a server that answers is not given up.
    await publish(server, 'news', 'first', {});
    const began = Date.now();
    await eventually(() => Date.now() - began > 150, 'some pings');
    assert.deepEqual(endings, []);
    assert.equal(of('pong').length, 0, 'answers to its own pings are nobody else’s');
    proxy.freeze();
    await publish(server, 'news', 'second', {});
    await eventually(() => endings.length > 0, 'the client notices');
    assert.match(endings[0], /said nothing for/);
    proxy.open();
    await eventually(() => of('second').length === 1, 'the event that was missed');
  });

  test(`${path}: what cannot be continued is told, and the client goes on`, async (t) => {
    const server = await Server.start(t);
    const { socket, of } = open(t, server, path);
    const resets = [];
    socket.onReset(({ channel, reason }) => resets.push({ channel, reason }));
    await socket.connect();
    await socket.subscribe({ channel: 'news', types: ['step'] });
    for (const number of [1, 2, 3]) await publish(server, 'news', 'step', { number });
    await eventually(() => of('step').length === 3, 'three steps');
    await server.stop('SIGKILL');
    await server.forget();
    await server.start();
    await eventually(() => resets.length > 0 && socket.isConnected, 'a reset');
    await socket.subscribe('fence');
    // The log began anew: its seqs are smaller than those that were heard.
    await publish(server, 'news', 'step', { number: 4 });
    await eventually(() => of('step').length === 4, 'the step after the reset');
  });

  test(`${path}: a token is asked for at each connection and before it expires`, async (t) => {
    const server = await Server.start(t, { ...REQUIRED, AUTH_EXPIRY_WARNING: '10s' });
    for (const authenticate of ['address', 'message']) {
      let asked = 0;
      const token = async () => tokenOf('ann', (asked += 1) === 1 ? 2 : 3600);
      const { socket, of } = open(t, server, path, { token, authenticate });
      await socket.connect();
      await eventually(() => of('auth:expiring').length === 1 && asked === 2, 'the client shows a newer token');
      await socket.subscribe('user:ann');
      socket.close();
    }
    const refused = open(t, server, path, { token: 'none' }).socket;
    await assert.rejects(refused.connect(), ClosedError);
    assert.equal(refused.state, 'failed');
    let stale = 0;
    const counted = () => ((stale += 1), 'none');
    await assert.rejects(open(t, server, path, { token: counted, authenticate: 'message' }).socket.connect(), ClosedError);
    assert.equal(stale, 2, 'a fresh token is tried once');
    stale = 0;
    await assert.rejects(open(t, server, path, { token: counted }).socket.connect(), ClosedError);
    // On `/ws/v1` the first one is shown twice: a refusal before there is a connection looks as if nobody were there.
    assert.ok(stale === 2 || (stale === 3 && path === '/ws/v1'), `a fresh token is tried once, not ${stale} times`);
  });
}

test('a client gives up after as many attempts as it may make, and begins anew when it is told to', async (t) => {
  const server = await Server.start(t);
  await server.stop('SIGKILL');
  const { socket } = open(t, server, '/ws', { reconnect: { ...SOON, maxAttempts: 2 } });
  const states = [];
  socket.onState(({ state }) => states.push(state));
  const command = socket.send('task:create', { projectId: 'p' });
  command.catch(() => {});
  await assert.rejects(socket.connect(), /gave up after 3 attempts/);
  assert.deepEqual(states, ['connecting', 'waiting', 'connecting', 'waiting', 'connecting', 'failed']);
  await assert.rejects(command, ClosedError);
  await assert.rejects(socket.send('task:create', { projectId: 'p' }), ClosedError);
  await server.start();
  await socket.connect();
  socket.close();
  assert.equal(socket.state, 'closed');
});

test('what is no command and was not answered is not sent twice', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const { socket } = open(t, proxy, '/ws?sessionId=s');
  await socket.connect();
  proxy.freeze();
  const sent = socket.send('suggestions', { text: 'split it' });
  const command = socket.send('task:create', { projectId: 'p', id: 't' });
  proxy.open();
  proxy.cut();
  await assert.rejects(sent, ConnectionLostError);
  assert.equal((await command).data.id, 't');
  await assert.rejects(open(t, server).socket.send('ping'), ConnectionLostError);
});

test('a session of the address is heard at once, and a message enters another one', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const { socket, of } = open(t, proxy, '/ws?sessionId=one');
  const mate = open(t, server, '/ws?sessionId=two');
  await Promise.all([socket.connect(), mate.socket.connect()]);
  await socket.send({ type: 'subscribe', sessionId: 'two' });
  proxy.block();
  await eventually(() => !socket.isConnected, 'the cut is noticed');
  const sent = socket.send('codeContext', { file: 'a.ts' });
  proxy.open();
  await sent;
  await eventually(() => mate.of('codeContext').length === 1, 'it is passed on in the session that was entered last');
  await publish(server, 'session:one', 'step', {});
  await publish(server, 'session:two', 'step', {});
  await eventually(() => of('step').length === 1, 'a step');
  assert.equal(of('step')[0].sessionId, 'two');
  socket.send({ type: 'ping' });
  await eventually(() => of('pong').length === 1, 'a pong for the ping');
  await socket.send({ type: 'unsubscribe' });
  await publish(server, 'session:two', 'step', {});
  await socket.subscribe('fence');
  await publish(server, 'fence', 'fenced', {});
  await eventually(() => of('fenced').length === 1, 'the fence');
  assert.equal(of('step').length, 1);
});

for (const path of PATHS) {
  test(`${path}: another client goes on from a cursor, with what that covers`, async (t) => {
    const server = await Server.start(t);
    const { socket } = open(t, server, path);
    await socket.connect();
    await socket.subscribe({ channel: 'news', types: ['step'] });
    const { cursor } = socket;
    socket.close();
    await publish(server, 'news', 'step', { number: 1 });
    await publish(server, 'news', 'other', {});
    const proxy = await Proxy.start(t, server);
    const later = open(t, proxy, path, { cursor });
    await later.socket.connect();
    await eventually(() => later.of('step').length === 1, 'what was missed');
    proxy.cut();
    await publish(server, 'news', 'step', { number: 2 });
    await eventually(() => later.of('step').length === 2, 'what came after a cut');
    assert.equal(later.of('other').length, 0);
    await later.socket.subscribe('news');
    await publish(server, 'news', 'other', {});
    await eventually(() => later.of('other').length === 1, 'another type');
  });
}

test('a project that was joined by a command is heard after a cut, and not after it was left', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const { socket, of } = open(t, proxy);
  await socket.connect();
  assert.equal((await socket.send('join:project', { projectId: 'p' })).room, 'project:p');
  proxy.cut();
  await socket.send('task:create', { projectId: 'p', id: '1' });
  await eventually(() => of('task:created').length === 1, 'the task');
  await socket.send('leave:project', { projectId: 'p' });
  proxy.cut();
  await socket.send('task:create', { projectId: 'p', id: '2' });
  await socket.subscribe({ channel: 'project:p', since: 0 });
  await eventually(() => of('task:created').length === 3, 'both once more');
  assert.deepEqual(of('task:created').map(({ taskId }) => taskId), ['1', '1', '2']);
});

test('what was left without a connection is not heard on the next one', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const { socket, of } = open(t, proxy);
  await socket.connect();
  await socket.subscribe('news');
  await publish(server, 'news', 'step', { number: 1 });
  await eventually(() => of('step').length === 1, 'the first step');
  proxy.block();
  await eventually(() => !socket.isConnected, 'the cut');
  await publish(server, 'news', 'step', { number: 2 });
  await socket.unsubscribe({ channel: 'news' });
  proxy.open();
  await socket.subscribe('fence');
  await publish(server, 'news', 'step', { number: 3 });
  await publish(server, 'fence', 'fenced', {});
  await eventually(() => of('fenced').length === 1, 'the fence');
  assert.deepEqual(of('step').map(({ number }) => number), [1]);
});

test('a command that is refused for the moment is sent again, and what follows waits for it', async (t) => {
  const sent = [];
  let said = 0;
  /** A server that refuses the first command once. */
  class Busy {
    readyState = 1;
    constructor() {
      queueMicrotask(() => this.#say({ type: 'connection', clientId: 'c' }));
    }
    send(text) {
      const { id, data } = JSON.parse(text);
      sent.push([data.number, data.idempotencyKey]);
      const busy = { code: 'rate_limited', error: 'later', retryable: true, retryAfterMs: 50 };
      this.#say({ type: 'ack', id, ...(sent.length === 1 ? { ok: false, ...busy } : { ok: true }) });
    }
    close() {}
    #say(message) {
      setImmediate(() => (this.onmessage({ data: JSON.stringify(message) }), (said += 1)));
    }
  }
  const socket = new BoardcastSocket('ws://127.0.0.1:1/ws', { WebSocket: Busy });
  t.after(() => socket.close());
  await socket.connect();
  const command = (number) => socket.send('task:create', { projectId: 'p', number });
  const first = command(1);
  await eventually(() => said === 2, 'the refusal');
  await Promise.all([first, command(2), command(3)]);
  assert.deepEqual(sent.map(([number]) => number), [1, 1, 2, 3]);
  assert.equal(sent[0][1], sent[1][1]);
});

test('/ws/v1: large data is compressed in both directions, in order', async (t) => {
  const server = await Server.start(t);
  const packing = open(t, server, '/ws/v1', { compressed: true });
  const plain = open(t, server, '/ws/v1');
  await Promise.all([packing, plain].map(async ({ socket }) => (await socket.connect(), socket.subscribe('news'))));
  const texts = ['x'.repeat(5_000), 'short', 'y'.repeat(3_000)];
  await Promise.all(texts.map((text) => packing.socket.send('step', { channel: 'news', text })));
  for (const { of } of [packing, plain]) {
    if (of === packing.of) await publish(server, 'news', 'step', { text: 'z'.repeat(2_000) });
    await eventually(() => of('step').length >= (of === packing.of ? 1 : 4), 'what was sent');
  }
  assert.deepEqual(plain.of('step').map(({ data: { text } }) => text[0]), ['x', 's', 'y', 'z']);
  assert.equal(plain.of('step')[0].metadata.compressed, false);
  const [{ data, metadata }] = packing.of('step');
  assert.deepEqual([data.text, metadata.compressed], ['z'.repeat(2_000), true]);
});

test('a burst comes as one, and is delivered one by one', async (t) => {
  const server = await Server.start(t);
  const { socket, heard } = open(t, server, '/ws?batch=50');
  await socket.connect();
  await socket.subscribe('news');
  let batches = 0;
  socket.on('batchUpdate', ({ messages }) => (batches += messages.length));
  for (let number = 1; number <= 5; number += 1) await publish(server, 'news', 'step', { number });
  const numbers = () => heard.filter(({ type }) => type === 'step').map(({ data }) => data.number);
  await eventually(() => numbers().length === 5, 'five steps');
  assert.deepEqual(numbers(), [1, 2, 3, 4, 5]);
  assert.ok(batches > 0);
});

test('a handler that throws takes nothing away from the others', async (t) => {
  const server = await Server.start(t);
  const { socket, of } = open(t, server);
  const reported = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => reported.push(error.message));
  t.after(() => listeners.forEach((listener) => process.on('uncaughtException', listener)));
  socket.on('step', () => {
    throw new Error('mine');
  });
  await socket.connect();
  await socket.subscribe('news');
  await publish(server, 'news', 'step', {});
  await eventually(() => of('step').length === 1 && reported.length === 1, 'the step, and the report');
  assert.deepEqual(reported, ['mine']);
});

test('what cannot be is refused by name', async () => {
  assert.throws(() => new BoardcastSocket('ftp://host/ws'), /no address of a WebSocket/);
  const socket = new BoardcastSocket('http://127.0.0.1:1/ws', { WebSocket: class {} });
  await assert.rejects(socket.subscribe({}), /a subscription names a channel/);
  await assert.rejects(socket.subscribe({ agentId: 'a', events: ['mood'] }), /an agent has no mood/);
  await assert.rejects(socket.send({}), /has a type/);
  if (!globalThis.WebSocket) await assert.rejects(new BoardcastSocket('ws://127.0.0.1:1/ws').connect(), /no WebSocket here/);
});
