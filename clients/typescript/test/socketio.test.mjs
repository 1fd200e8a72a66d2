// What `connect` promises, on the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REQUIRED, tokenOf } from '../../../tests/clients/tokens.mjs';
import { ClosedError, connect, ConnectionLostError, QueueFullError, RefusedError } from '../dist/esm/index.js';
import { eventually, Proxy, publish, Server, SOON } from './support.mjs';

/** A client that ends with the test. It keeps the events that it hears. */
function open(t, { url }, options = {}) {
  const client = connect(url, { reconnect: SOON, connectTimeoutMs: 1_000, io: { transports: ['websocket'] }, ...options });
  t.after(() => client.close());
  const heard = [];
  client.on('*', (name, payload, cursor) => heard.push({ name, payload, cursor }));
  return { client, heard, of: (name) => heard.filter((each) => each.name === name).map(({ payload }) => payload) };
}

test('a handler hears its event once, with a cursor, until it is taken away', async (t) => {
  const server = await Server.start(t);
  const { client } = open(t, server);
  const heard = [];
  const stop = client.on('task:status_changed', ({ taskId, newStatus }, cursor) => heard.push([taskId, newStatus, typeof cursor]));
  const { room } = await client.join('p');
  assert.equal(room, 'project:p');
  const { data, version } = await client.emit('task:create', { projectId: 'p', id: 't', title: 'Sow' });
  assert.deepEqual([data.title, version], ['Sow', 1]);
  await client.emit('task:status', { projectId: 'p', taskId: 't', status: 'done' });
  await eventually(() => heard.length === 1, 'the change of status');
  stop();
  await client.emit('task:status', { projectId: 'p', taskId: 't', status: 'todo' });
  await client.emit('task:delete', 't');
  assert.deepEqual(heard, [['t', 'done', 'string']]);
  assert.equal(typeof client.cursor, 'string');
});

test('nothing of the key under which a command has one effect is heard', async (t) => {
  const server = await Server.start(t);
  const { client, of } = open(t, server);
  await client.join('p');
  await client.emit('task:create', { projectId: 'p', id: 't' });
  await eventually(() => of('task:created').length === 1, 'the event');
  assert.ok(!Object.keys(of('task:created')[0]).some((key) => /key|mutation/i.test(key)));
});

test('a refusal is an error that tells why', async (t) => {
  const server = await Server.start(t);
  const { client } = open(t, server);
  await assert.rejects(client.emit('task:update', { projectId: 'p' }), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.deepEqual([error.code, error.field, error.retryable], ['validation_failed', 'taskId', false]);
    return true;
  });
});

test('what is sent without a connection waits, within a bound that is told', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  proxy.block();
  const { client } = open(t, proxy, { queue: { messages: 3 } });
  const dropped = [];
  client.onDrop(({ message, error }) => dropped.push([message.type, error.constructor]));
  const create = (id) => client.emit('task:create', { projectId: 'p', id });
  const sent = ['1', '2', '3'].map(create);
  await assert.rejects(create('4'), QueueFullError);
  await assert.rejects(client.emit('typing', { projectId: 'p' }), ConnectionLostError);
  proxy.open();
  assert.deepEqual((await Promise.all(sent)).map(({ seq }) => seq), [1, 2, 3]);
  assert.deepEqual(dropped, [['task:create', QueueFullError], ['typing', ConnectionLostError]]);
});

test('a project and its channels go on after the server was killed', async (t) => {
  const server = await Server.start(t);
  const { client, of } = open(t, server);
  await client.join('p');
  await client.subscribe(['news', 'jobs'], { types: ['step'] });
  await server.stop('SIGKILL');
  await eventually(() => !client.isConnected, 'the client notices');
  await server.start();
  await publish(server, 'news', 'step', { number: 1 });
  await publish(server, 'news', 'other', {});
  await client.emit('task:create', { projectId: 'p', id: 't' });
  await eventually(() => of('step').length === 1 && of('task:created').length === 1, 'what happened meanwhile');
  assert.deepEqual(of('event').map(({ channel, type }) => [channel, type]), [['news', 'step']]);
  await client.leave('p');
  await client.unsubscribe('news');
  await publish(server, 'news', 'step', { number: 2 });
  await client.emit('task:update', { projectId: 'p', taskId: 't', title: 'unheard' });
  await client.subscribe('fence');
  await publish(server, 'fence', 'fenced', {});
  await eventually(() => of('fenced').length === 1, 'the fence');
  assert.deepEqual([of('step').length, of('task:updated').length], [1, 0]);
});

test('a database that is another one is told, with the state, and the client is in its projects and channels again', async (t) => {
  const server = await Server.start(t);
  const { client, of } = open(t, server);
  const resets = [];
  client.onReset((reset) => resets.push(reset));
  await client.join('p', { snapshot: true });
  await client.subscribe('news');
  for (const id of ['1', '2']) await client.emit('task:create', { projectId: 'p', id });
  await eventually(() => of('task:created').length === 2, 'two tasks');
  await server.stop('SIGKILL');
  await server.forget();
  await server.start();
  await eventually(() => client.isConnected && resets.length > 0, 'the reset');
  const again = async () => {
    await publish(server, 'news', 'step', {}).catch(() => {});
    return of('step').length > 0;
  };
  await eventually(again, 'the channel is heard again');
  await client.emit('task:create', { projectId: 'p', id: '3' });
  await eventually(() => of('task:created').length === 3, 'a task, whose seq is smaller than those before');
});

test('a token is asked for at each connection and before it expires', async (t) => {
  const server = await Server.start(t, { ...REQUIRED, AUTH_EXPIRY_WARNING: '10s' });
  let asked = 0;
  const { client, of } = open(t, server, { token: async () => tokenOf('ann', (asked += 1) === 1 ? 2 : 3600) });
  await client.join('p');
  await eventually(() => of('auth:expiring').length === 1 && asked === 2, 'the client shows a newer token');
  await client.emit('task:create', { projectId: 'p', id: 't' });
  const constant = open(t, server, { token: 'none' }).client;
  await assert.rejects(constant.connected(), ClosedError);
  let stale = 0;
  const again = open(t, server, { token: () => ((stale += 1), 'none') }).client;
  await assert.rejects(again.emit('task:create', { projectId: 'p' }), ClosedError);
  assert.deepEqual([stale, again.state], [2, 'failed']);
});

test('a client gives up after as many attempts as it may make, and begins anew when it is told to', async (t) => {
  const server = await Server.start(t);
  await server.stop('SIGKILL');
  const { client } = open(t, server, { reconnect: { ...SOON, maxAttempts: 2 } });
  await assert.rejects(client.connected(), /gave up after 3 attempts/);
  await server.start();
  client.reconnect();
  await client.connected();
  client.close();
  await assert.rejects(client.emit('task:create', { projectId: 'p' }), ClosedError);
});

test('another client goes on from a cursor', async (t) => {
  const server = await Server.start(t);
  const { client } = open(t, server);
  await client.join('p');
  await client.emit('task:create', { projectId: 'p', id: '1' });
  const { cursor } = client;
  client.close();
  const writer = open(t, server).client;
  await writer.emit('task:create', { projectId: 'p', id: '2' });
  const { of } = open(t, server, { cursor });
  await eventually(() => of('task:created').some(({ taskId }) => taskId === '2'), 'what was missed');
});
