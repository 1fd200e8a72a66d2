// The classes of the pages, by their names and as their programs use them.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import WebSocket from 'ws';
import {
  AutoSDLCWebSocketClient, connect, ConnectionPool, WebSocketClient, WebSocketService,
} from '../dist/esm/index.js';
import { eventually, Proxy, publish, Server, SOON } from './support.mjs';

const io = { transports: ['websocket'] };

test('WebSocketService: who sends hears what becomes of it, until it stops listening', async (t) => {
  const server = await Server.start(t);
  const ws = new WebSocketService(server.url, { io, reconnect: SOON });
  t.after(() => ws.disconnect());
  const heard = [];
  const early = [];
  ws.on('task:created', (data) => early.push(data.taskId));
  ws.connect();
  const unsubscribe = ws.on('task:updated', (data) => heard.push(data.status));
  ws.send('task:create', { projectId: '123', id: '456' });
  ws.send('task:update', { projectId: '123', taskId: '456', status: 'completed' });
  await eventually(() => heard.length === 1, 'the update');
  assert.deepEqual([heard, early], [['completed'], ['456']]);
  unsubscribe();
  await ws.send('task:update', { projectId: '123', taskId: '456', status: 'open' });
  assert.equal(ws.isConnected, true);
  ws.disconnect();
  assert.equal(ws.isConnected, false);
  assert.equal(heard.length, 1);
  ws.connect();
  await ws.send('task:create', { projectId: '123', id: '789' });
  await eventually(() => early.length === 2, 'handlers are still there');
});

test('WebSocketService: projects are joined with the connection, and are still after the server was killed', async (t) => {
  const server = await Server.start(t);
  const board = new WebSocketService(server.url, { io, reconnect: SOON, projects: ['p'] });
  t.after(() => board.disconnect());
  const heard = [];
  board.on('task:created', ({ taskId }) => heard.push(taskId));
  board.connect();
  const writer = connect(server.url, { io, reconnect: SOON });
  t.after(() => writer.close());
  await board.send('join:project', 'p');
  await eventually(() => board.isConnected, 'a connection');
  await board.client.join('p');
  await writer.emit('task:create', { projectId: 'p', id: '1' });
  await server.stop('SIGKILL');
  await server.start();
  await writer.emit('task:create', { projectId: 'p', id: '2' });
  await eventually(() => heard.length === 2, 'both');
  assert.deepEqual(heard, ['1', '2']);
});

test('AutoSDLCWebSocketClient: an agent’s events in the envelope, also after a cut', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const client = new AutoSDLCWebSocketClient({ url: proxy.url, WebSocket, reconnect: SOON });
  const agent = new AutoSDLCWebSocketClient({ url: server.url, WebSocket, reconnect: SOON });
  t.after(() => [client, agent].forEach((each) => each.disconnect()));
  assert.equal(await client.connect(), undefined);
  await agent.connect();
  const heard = [];
  const stop = client.on('agent_status', (message) => heard.push(message));
  const id = await client.subscribe({ agentId: 'coder-001', events: ['status', 'metrics'] });
  assert.equal(typeof id, 'string');
  const status = { agentId: 'coder-001', agentType: 'coder', status: 'busy', currentTask: { id: 't', type: 'x', progress: 65 }, metrics: { cpuUsage: 1, memoryUsage: 2, tasksCompleted: 3 } };
  const said = { type: 'agent_status', data: status, metadata: { version: '1.0', source: 'coder', correlationId: 'c-1' } };
  assert.equal(await agent.send(said), undefined);
  await eventually(() => heard.length === 1, 'the first status');
  const [{ type, data, timestamp, id: messageId }] = heard;
  assert.deepEqual([type, data, typeof timestamp, typeof messageId], ['agent_status', status, 'number', 'string']);
  await publish(server, 'agent:coder-001', 'agent_log', { agentId: 'coder-001', level: 'info', message: 'm' }).catch(() => {});
  proxy.block();
  await eventually(() => client.socket.state !== 'open', 'the cut');
  await agent.send(said);
  proxy.open();
  await eventually(() => heard.length === 2, 'the second status');
  await client.unsubscribe(id);
  stop();
  await assert.rejects(client.send({ data: {} }), /has a type/);
});

test('WebSocketClient: its attempts are counted, and end', async (t) => {
  const server = await Server.start(t);
  const client = new WebSocketClient(`${server.url.replace('http', 'ws')}/ws`, { WebSocket });
  t.after(() => client.close());
  assert.deepEqual([client.reconnectAttempts, client.maxReconnectAttempts, client.reconnectDelay], [0, 5, 1_000]);
  Object.assign(client, { maxReconnectAttempts: 3, reconnectDelay: 5 });
  const events = [];
  client.onopen = () => events.push('open');
  client.onclose = () => events.push('close');
  client.onmessage = ({ type }) => type === 'step' && events.push(type);
  await client.connect();
  await client.send({ type: 'subscribe', channel: 'news' });
  await server.stop('SIGKILL');
  await eventually(() => client.ws.state === 'failed', 'it gives up');
  assert.equal(client.reconnectAttempts, 3);
  await server.start();
  await publish(server, 'news', 'step', {});
  await client.connect();
  await client.send({ type: 'subscribe', channel: 'news' });
  await eventually(() => events.includes('step'), 'what was missed');
  assert.deepEqual(events, ['open', 'close', 'open', 'step']);
});

test('ConnectionPool: one too many closes the oldest', () => {
  const pool = new ConnectionPool(2);
  const closed = [];
  for (const id of ['a', 'b', 'c']) pool.addConnection(id, { close: () => closed.push(id) });
  assert.deepEqual([closed, [...pool.connections.keys()]], [['a'], ['b', 'c']]);
  pool.removeConnection('none');
  pool.closeAll();
  assert.deepEqual(closed, ['a', 'b', 'c']);
  assert.equal(new ConnectionPool().maxConnections, 10);
});

test('the package may be required', () => {
  const require = createRequire(import.meta.url);
  assert.deepEqual(Object.keys(require('../dist/cjs/index.js')).sort(), Object.keys(require('../dist/cjs/websocket.js')).concat('BoardcastClient', 'WebSocketService', 'connect', 'wholeState').sort());
});
