// b-chat-agent.md: a chat whose clients connect to the bare address and are all told of everything.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Server } from '../clients/server.mjs';
import { Plain } from '../clients/sockets.mjs';
import { eventually } from '../clients/wait.mjs';
import { get, publish } from './backend.mjs';
import { assertShown } from './match.mjs';
import { Application, example, ours, shown, snippet } from './snippets.mjs';

const page = (name) => `b-chat-agent/${name}`;
const HANDLERS = 'displayMessage updateIDEStatus updateConnectionStatus updateUserApp updateWorkspace'.split(' ');

/** The page's client: its connection and its `handleWebSocketMessage`. */
async function client(t, server, options = {}) {
  const application = new Application(t, server, { stubs: HANDLERS, ...options });
  application.run(page('04-connection.js'));
  application.run(page('11-handle-message.js'));
  await eventually(() => application.calls.first('log').includes('Connected to WebSocket'), 'a connection');
  return application;
}

/** Runs a shell script of the page, without the lines that are about its own programs. */
function shell(script, server) {
  const own = /^(tail|npm) .*$/gm;
  const env = { ...process.env, NODE_OPTIONS: `--require ${fileURLToPath(new URL('browser.cjs', import.meta.url))}` };
  return promisify(execFile)('bash', ['-c', snippet(page(script), server).replace(own, ':')], { env, timeout: 10_000 });
}

test('event messages: heard by every client in the documented shapes', async (t) => {
  const server = await Server.start(t);
  const clients = [await client(t, server), await client(t, server)];
  const plain = Plain.open(t, server, '/');
  await plain.next('connection');
  const examples = ['05-message-received.js', '06-connection-status.js', '07-ide-status-changed.js'].map((name) => shown(page(name)));
  const more = [
    { type: 'userAppDetected', data: { url: 'http://localhost:3000', workspacePath: '/path/to/workspace' } },
    { type: 'workspaceChanged', data: { workspacePath: '/path/to/workspace', port: 9222 } },
    { type: 'somethingElse', data: {} },
  ];
  for (const { type, data } of [...examples, ...more]) await publish(server, 'broadcast', type, data);
  for (const { calls } of clients) {
    const handled = () => HANDLERS.every((name) => calls.of(name).length === 1);
    await eventually(() => handled() && calls.of('log').some(([, type]) => type === 'somethingElse'), 'all messages');
    for (const [index, { data }] of [...examples, ...more.slice(0, 2)].entries()) {
      assert.deepEqual(calls.of(HANDLERS[[0, 2, 1, 3, 4][index]]), [[data]]);
    }
    assert.ok(calls.of('log').some(([text, type]) => text === 'Unknown event type:' && type === 'somethingElse'));
  }
  for (const example of examples) assertShown(await plain.next(example.type), example);
});

test('private message: heard by its client alone', async (t) => {
  const server = await Server.start(t);
  const [one, other] = [Plain.open(t, server, '/'), Plain.open(t, server, '/')];
  const { clientId } = await one.next('connection');
  await other.next('connection');
  const answer = await publish(server, `client:${clientId}`, 'privateMessage', { content: 'Private message for you' });
  assert.equal(answer.reached, 1);
  assert.deepEqual((await one.next('privateMessage')).data, { content: 'Private message for you' });
  other.send({ type: 'ping' });
  await other.next('pong');
  assert.deepEqual(other.heard.filter(({ type }) => type === 'privateMessage'), []);
});

test('message error example: the error is taken and the connection goes on', async (t) => {
  const server = await Server.start(t);
  const application = await client(t, server);
  application.evaluate('var event = { data: "no JSON" }');
  application.run(page('19-message-error.js'));
  assert.equal(application.calls.first('error')[0], 'Failed to parse message:');
  application.evaluate('ws.send(JSON.stringify({ type: "ping", data: {} }))');
  const unknown = () => application.calls.of('log').filter(([text]) => text === 'Unknown event type:').map(([, type]) => type);
  await eventually(() => unknown().includes('pong'), 'an answer');
  assert.equal(unknown().includes('error'), false, 'an error that a client reports is not answered with an error');
});

test('connection error example: the page tries again after 5 s', async (t) => {
  const server = await Server.start(t);
  await server.stop('SIGKILL');
  const waits = [];
  const soon = (act, delay) => (waits.push(delay), setTimeout(act, 10));
  const globals = { setTimeout: soon };
  const application = new Application(t, server, { stubs: ['connectWebSocket'], globals });
  application.evaluate(`var ws = new WebSocket('ws://127.0.0.1:${server.port}')`);
  application.run(page('18-connection-error.js'));
  await eventually(() => application.calls.of('connectWebSocket').length, 'another attempt');
  assert.deepEqual(waits, [5_000]);
  await server.start();
});

test('reconnection example: back after the server was killed', async (t) => {
  const server = await Server.start(t);
  const application = new Application(t, server, { globals: { setTimeout: (act, delay) => setTimeout(act, delay / 10) } });
  application.run(page('21-reconnection.js'));
  application.evaluate(`var client = new WebSocketClient('ws://127.0.0.1:${server.port}'); client.connect()`);
  const connected = () => application.calls.first('log').filter((text) => text === 'Connected to WebSocket').length;
  await eventually(() => connected() === 1, 'a connection');
  await server.stop('SIGKILL');
  await eventually(() => application.evaluate('client.reconnectAttempts') >= 1, 'an attempt');
  await server.start();
  await eventually(() => connected() === 2, 'the second connection');
  assert.equal(application.evaluate('client.reconnectAttempts'), 0);
});

test('/api/websocket/status: the documented shape', async (t) => {
  const server = await Server.start(t);
  const { calls } = await client(t, server);
  await eventually(() => calls.of('log').some(([, type]) => type === 'connection'), 'a greeting');
  const shape = example(page('27-status.json'));
  const status = await get(server, '/api/websocket/status');
  assertShown(status, shape, ['clients', 'uptime', 'messageCount']);
  const { stdout } = await shell('30-check-server.sh', server);
  assertShown(JSON.parse(stdout), shape, ['clients', 'uptime', 'messageCount']);
  assertShown(JSON.parse((await shell('32-check-connections.sh', server)).stdout), { success: true });
});

test('testing examples: the connection succeeds, a message is answered', async (t) => {
  const server = await Server.start(t);
  const application = new Application(t, server);
  application.run(page('28-test-connection.js'));
  assert.equal(await application.evaluate('testWebSocket()'), 'Connection successful');
  application.run(page('29-test-message.js'));
  assert.equal((await application.evaluate('testMessage()')).type, 'connection');
});

test('simple client of the troubleshooting: prints what it hears', async (t) => {
  const server = await Server.start(t);
  const { stdout } = await shell('31-simple-client.sh', server);
  assert.match(stdout, /^Connected\n/);
  assert.equal(JSON.parse(stdout.match(/^Received: (.*)$/m)[1]).type, 'connection');
});

test('validation example: with --strict, what the page refuses is refused', async (t) => {
  const server = await Server.start(t, { STRICT: 'true' });
  const application = new Application(t, server);
  application.run(page('25-validate-message.js'));
  const plain = Plain.open(t, server, '/?sessionId=s');
  await plain.next('connection');
  for (const message of [{ type: 'x' }, { type: 'x', data: 'text' }, { data: {} }, { type: 7, data: {} }]) {
    application.evaluate(`var message = ${JSON.stringify(message)}`);
    assert.throws(() => application.evaluate('validateMessage(message)'));
    plain.send(message);
    await plain.next('error');
  }
  application.evaluate('validateMessage({ type: "x", data: {} })');
  plain.send({ type: 'x', id: '1', data: {} });
  assert.equal((await plain.next('ack')).ok, true);
});

/** The page's own bus of events. */
class EventBus {
  #handlers = new Map();
  subscribe = (name, handler) => this.#handlers.set(name, handler);
  publish = (name, data) => this.#handlers.get(name)?.(data);
}

/** The page's backend: its bus and its manager. */
function backend(t, server, globals = {}) {
  const packages = {
    './src/presentation/websocket/WebSocketManager': ours('node').WebSocketManager,
    './src/infrastructure/messaging/EventBus': EventBus,
  };
  const application = new Application(t, server, { packages, globals: { server: server.url, ...globals } });
  application.run(page('02-event-bus.js'));
  application.run(page('01-websocket-manager.js'));
  t.after(() => application.evaluate('webSocketManager.close(0)'));
  return application;
}

test('WebSocketManager examples: clients are told of what the backend broadcasts', async (t) => {
  const server = await Server.start(t);
  const [one, other] = [Plain.open(t, server, '/'), Plain.open(t, server, '/')];
  const { clientId } = await one.next('connection');
  await other.next('connection');
  const application = backend(t, server, { clientId, data: { port: 9222 } });
  application.run(page('08-message-events.js'));
  assertShown((await one.next('messageReceived')).data, { id: 'msg-123', content: 'Hello, Cursor!', timestamp: '2024-01-01T12:00:00.000Z' });
  await application.run(page('12-broadcast-to-clients.js'));
  for (const plain of [one, other]) {
    await eventually(() => plain.heard.some(({ data }) => data?.content === 'Hello, everyone!'), 'a broadcast');
  }
  await application.run(page('13-send-to-client.js'));
  assert.deepEqual((await one.next('privateMessage')).data, { content: 'Private message for you' });
  // Nobody has said that it is subscribed to the IDE.
  const { reached } = await application.run(page('14-conditional-broadcast.js'));
  assert.equal(reached, 0);
  assert.deepEqual(other.heard.filter(({ type }) => ['privateMessage', 'ideStatusChanged'].includes(type)), []);
});

test('WebSocketManager examples: its figures are those of the server', async (t) => {
  const server = await Server.start(t);
  const application = backend(t, server);
  const { clientId } = await Plain.open(t, server, '/').next('connection');
  const [code] = snippet(page('15-health-status.js')).split('// Result');
  application.evaluate(code);
  const shape = example(page('27-status.json')).data;
  const figures = 'webSocketManager.getHealthStatus().clients === 1 && webSocketManager.getHealthStatus().lastActivity';
  await eventually(() => application.evaluate(figures), 'the figures');
  assertShown(application.evaluate('webSocketManager.getHealthStatus()'), shape, ['clients', 'uptime', 'messageCount']);
  application.run(page('17-cleanup.js'));
  await eventually(() => application.evaluate('webSocketManager.getActiveClients()[0]?.id') === clientId, 'who is connected');
});

test('connection state and batching examples: everybody is told', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/');
  const inBatches = Plain.open(t, server, '/?batch=200');
  await Promise.all([plain, inBatches].map((each) => each.next('connection')));
  const application = backend(t, server);
  application.run(page('22-connection-state.js'));
  application.evaluate('updateConnectionState({ connected: true })');
  assertShown((await plain.next('connectionStateChanged')).data, { connected: true, reconnecting: false, reconnectAttempts: 0 });
  application.run(page('23-message-batching.js'));
  application.evaluate('for (const n of [1, 2, 3]) queueMessage("ideStatusChanged", { n })');
  const numbers = (heard) => heard.flatMap((each) => each.messages ?? [each]).filter(({ type }) => type === 'ideStatusChanged');
  for (const { heard } of [plain, inBatches]) {
    await eventually(() => numbers(heard).length === 3, 'what was queued');
    assert.deepEqual(numbers(heard).map(({ data }) => data.n), [1, 2, 3]);
  }
});

test('connection pool example: the eleventh connection closes the first', async (t) => {
  const server = await Server.start(t);
  const application = new Application(t, server);
  application.run(page('24-connection-pool.js'));
  application.evaluate(`
    var pool = new ConnectionPool();
    var closed = [];
    for (let id = 1; id <= 11; id += 1) {
      const ws = new WebSocket('ws://127.0.0.1:${server.port}');
      ws.onclose = () => closed.push(id);
      ws.onopen = () => pool.addConnection(id, ws);
    }`);
  await eventually(() => application.evaluate('closed.length') === 1, 'the first one closed');
  assert.equal(application.evaluate('pool.connections.size'), 10);
  await eventually(async () => (await get(server, '/api/ws/stats')).activeConnections === 10, 'ten connections');
});

test('rate limit example: a hundred messages pass, the next one does not', async (t) => {
  const application = new Application(t, { url: 'http://127.0.0.1', port: 0 });
  application.run(page('26-rate-limit.js'));
  const passed = application.evaluate('Array.from({ length: 150 }, () => checkRateLimit("c")).filter(Boolean).length');
  assert.equal(passed, 100);
});
