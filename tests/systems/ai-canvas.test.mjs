// c-ai-canvas.md: pages that follow the answers of an AI.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Server } from '../clients/server.mjs';
import { Plain } from '../clients/sockets.mjs';
import { REQUIRED, tokenOf } from '../clients/tokens.mjs';
import { eventually } from '../clients/wait.mjs';
import { get, publish } from './backend.mjs';
import { assertShown } from './match.mjs';
import { Application, example, ours, snippet } from './snippets.mjs';

const page = (name) => `c-ai-canvas/${name}`;
const EVENTS = ['13-ai-start.json', '14-ai-progress.json', '15-ai-complete.json', '16-ai-error.json'];

/** Publishes what a page's example shows, on the example's session or another. */
function notify(server, name, sessionId) {
  const { type, timestamp, sessionId: shown, ...data } = example(page(name));
  return publish(server, `session:${sessionId ?? shown}`, type, data);
}

const opened = (application) => eventually(() => application.evaluate('ws.readyState === 1'), 'an open connection');

test('connection example: greeted in the documented shape', async (t) => {
  const server = await Server.start(t);
  const application = new Application(t, server);
  application.run(page('04-connection.ts'));
  const { calls } = application;
  await eventually(() => calls.of('log').length >= 2, 'a greeting');
  assert.deepEqual(calls.of('log')[0], ['Connected to WebSocket']);
  const [label, message] = calls.of('log')[1];
  assert.equal(label, 'Received:');
  assertShown(message, { ...example(page('12-connection.json')) });
  await notify(server, '13-ai-start.json', 'my_session_123');
  await eventually(() => calls.of('log').some(([, received]) => received?.type === 'ai_start'), 'a message');
  application.evaluate('ws.close()');
  await eventually(() => calls.first('log').includes('Disconnected from WebSocket'), 'the end');
});

test('ping, subscribe, unsubscribe: answered in the documented shapes', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws');
  await plain.next('connection');
  for (const [asked, answered] of [
    ['06-ping.json', '07-pong.json'],
    ['08-subscribe.json', '09-subscribed.json'],
    ['10-unsubscribe.json', '11-unsubscribed.json'],
  ]) {
    plain.send(example(page(asked)));
    const shown = example(page(answered));
    assertShown(await plain.next(shown.type), shown);
  }
});

test('AI messages: delivered to their session in the documented shapes', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws?userId=USER_ID&sessionId=session_123');
  await plain.next('connection');
  for (const name of EVENTS) {
    await notify(server, name);
    const shown = example(page(name));
    assertShown(await plain.next(shown.type), shown);
  }
});

test('AI notifications example: each message calls what the page says', async (t) => {
  const server = await Server.start(t);
  const stubs = 'showLoadingIndicator updateProgressBar hideLoadingIndicator showSuccessNotification showErrorNotification';
  const application = new Application(t, server, { stubs: stubs.split(' ') });
  application.run(page('17-ai-notifications.ts'));
  await opened(application);
  for (const name of EVENTS) await notify(server, name, 'my_session');
  const { calls } = application;
  await eventually(() => calls.of('showErrorNotification').length, 'the last notification');
  assert.deepEqual(calls.of('showLoadingIndicator'), [[]]);
  assert.deepEqual(calls.of('updateProgressBar'), [[example(page('14-ai-progress.json')).progress]]);
  assert.deepEqual(calls.of('hideLoadingIndicator'), [[], []]);
  assert.deepEqual(calls.of('showSuccessNotification'), [[]]);
  assert.deepEqual(calls.of('showErrorNotification'), [['API rate limit exceeded']]);
});

test('shared session example: everybody in the session is told', async (t) => {
  const server = await Server.start(t);
  const stubs = ['refreshSharedCanvas', 'notifyUser'];
  const pages = [1, 2].map(() => new Application(t, server, { stubs }));
  for (const application of pages) {
    application.run(page('18-shared-session.ts'));
    await opened(application);
  }
  await notify(server, '15-ai-complete.json', 'shared_session');
  for (const { calls } of pages) {
    await eventually(() => calls.of('notifyUser').length, 'a notice');
    assert.deepEqual(calls.of('refreshSharedCanvas'), [[]]);
    assert.deepEqual(calls.of('notifyUser'), [['AI agent completed task']]);
  }
});

test('background task example: its end is heard', async (t) => {
  const server = await Server.start(t);
  const asked = [];
  // The page's own backend, which works for a while and then tells.
  const generate = async (path, options) => {
    asked.push([path, options.method, JSON.parse(options.body)]);
    await setImmediate(); // the program goes on to its end
    await opened(application);
    await notify(server, '15-ai-complete.json', asked[0][2].sessionId);
  };
  const application = new Application(t, server, { stubs: ['fetchGeneratedDocumentation'], globals: { fetch: generate } });
  application.run(page('19-background-task.ts'));
  await eventually(() => application.calls.of('fetchGeneratedDocumentation').length, 'the end of the task');
  const task = { sessionId: 'background_task_123', prompt: 'Generate documentation' };
  assert.deepEqual(asked, [['/api/agent/generate', 'POST', task]]);
});

test('JavaScript testing example: connects, pings, subscribes', async (t) => {
  const server = await Server.start(t);
  const application = new Application(t, server);
  application.run(page('31-test-web-socket.ts'));
  const { calls } = application;
  const types = () => calls.of('log').flatMap(([label, data]) => (label === '✓ Received:' ? [JSON.parse(data).type] : []));
  await eventually(() => types().includes('subscribed'), 'the answer to the subscription');
  // The ping may be answered before the greeting.
  assert.deepEqual(types().sort(), ['connection', 'pong', 'subscribed']);
  assert.deepEqual(calls.of('error'), []);
});

test('wscat dialogue: answered line by line', async (t) => {
  const server = await Server.start(t);
  const [, address] = snippet(page('29-wscat.sh')).match(/ws:\/\/[^/]+(\/[^"]*)/);
  const plain = Plain.open(t, server, address);
  await plain.next('connection');
  for (const line of snippet(page('30-wscat-messages.txt')).split('\n').filter(Boolean)) {
    const message = JSON.parse(line.slice(2));
    if (line.startsWith('>')) plain.send(message);
    else assertShown(await plain.next(message.type), message);
  }
});

test('token example: a valid token connects, an invalid one is closed with 1008', async (t) => {
  const server = await Server.start(t, REQUIRED);
  const application = new Application(t, server, { globals: { localStorage: { getItem: () => tokenOf('ann') } } });
  application.run(page('26-token.ts'));
  application.evaluate('var types = []; ws.onmessage = ({ data }) => types.push(JSON.parse(data).type)');
  await eventually(() => application.evaluate('types.includes("connection")'), 'a greeting');
  const localStorage = { getItem: () => 'nonsense' };
  const refused = new Application(t, server, { globals: { localStorage } });
  refused.run(page('26-token.ts'));
  refused.evaluate('var ended; ws.onclose = ({ code, reason }) => (ended = { code, reason: String(reason) })');
  await eventually(() => refused.evaluate('ended'), 'the end');
  assert.equal(refused.evaluate('ended.code'), 1008);
  assert.equal(refused.evaluate('ended.reason'), snippet(page('27-token-validation.ts')).match(/close\(1008, '(\w+)'\)/)[1]);
});

test('subscribe: replaces the session before it', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws?sessionId=first');
  await plain.next('connection');
  plain.send(example(page('08-subscribe.json')));
  await plain.next('subscribed');
  await notify(server, '14-ai-progress.json', 'first');
  await notify(server, '15-ai-complete.json');
  await plain.next('ai_complete');
  assert.deepEqual(plain.heard.filter(({ type }) => type.startsWith('ai_')), []);
});

test('/api/ws/stats: the documented shape', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws?userId=user_123&sessionId=session_456');
  const { clientId } = await plain.next('connection');
  const shown = example(page('25-stats.json'));
  const [client] = shown.clients;
  const stats = await get(server, '/api/ws/stats');
  assertShown(stats, { ...shown, clients: [{ ...client, id: clientId }] }, ['totalConnections', 'activeConnections']);
});

/** The page's backend: its `wsManager`, and what it says. */
function backend(t, server) {
  const { WebSocketManager } = ours('node');
  const packages = { './config/websocket.js': { getWebSocketManager: () => new WebSocketManager(server.url) } };
  const globals = { sessionId: 'session_123', userId: 'user_123', messageCounter: 3, receivedCounter: 2, reconnectCounter: 1, latencySum: 8, latencyCount: 2 };
  const application = new Application(t, server, { packages, globals });
  application.run(page('22-websocket-manager.ts'));
  t.after(() => application.evaluate('wsManager.close(0)'));
  return application;
}

test('WebSocketManager example: session and user are told', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws?userId=user_123&sessionId=session_123');
  await plain.next('connection');
  const application = backend(t, server);
  const told = {
    ai_complete: { result: { mode: 'generate', contentLength: 5000, chunks: 100 } },
    ai_progress: { progress: { chunksReceived: 25, contentLength: 1250 } },
    ai_error: { error: { message: 'Rate limit exceeded', type: 'rate_limit_error' } },
    ai_start: { task: { prompt: 'Create component', mode: 'generate' } },
  };
  for (const [type, fields] of Object.entries(told)) {
    assertShown(await plain.next(type), { type, sessionId: 'session_123', ...fields });
  }
  assertShown(await plain.next('notification'), { type: 'notification', message: 'New update available' });
  assert.match(application.calls.first('log')[0], /^Active connections: \d+$/);
  await eventually(() => application.evaluate('wsManager.getStats().activeConnections') === 1, 'the figures');
  application.run(page('40-metrics.ts'));
  const metrics = { totalConnections: 1, activeConnections: 1, messagesSent: 3, messagesReceived: 2, reconnectAttempts: 1, averageLatency: 4 };
  assert.deepEqual(JSON.parse(application.evaluate('JSON.stringify(metrics)')), metrics);
});

test('summary example: the backend completes what a session waits for', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws?sessionId=session_123');
  await plain.next('connection');
  const application = backend(t, server);
  await plain.next('ai_start');
  const [, code] = snippet(page('41-summary.ts')).split('// Backend');
  application.evaluate(`var result = { mode: 'edit' }; ${code}`);
  await eventually(() => plain.heard.some(({ type, result }) => type === 'ai_complete' && result.mode === 'edit'), 'the result');
});

test('message batching example: who asks for batches hears one', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws?sessionId=session_123&batch=200');
  await plain.next('connection');
  const application = backend(t, server);
  application.run(page('33-message-batching.ts'));
  application.evaluate('messageQueue.push({ type: "a", data: 1 }, { type: "b", data: 2 })');
  const types = () => plain.heard.flatMap((each) => each.messages ?? [each]).map(({ type }) => type);
  await eventually(() => types().includes('b'), 'what was queued');
  assert.deepEqual(types().filter((type) => ['a', 'b'].includes(type)), ['a', 'b']);
  await eventually(() => plain.heard.some(({ type }) => type === 'batchUpdate'), 'a batch');
});

test('server logs: clients that come and go, messages, how many were told', async (t) => {
  const server = await Server.start(t, { LOG_LEVEL: 'info,boardcast=debug' });
  const plain = Plain.open(t, server, '/ws?sessionId=s');
  const { clientId } = await plain.next('connection');
  plain.send({ type: 'codeContext', data: {} });
  plain.close(1000);
  const lines = () => server.log.split('\n').filter((line) => line.includes(clientId));
  await eventually(() => lines().some((line) => line.includes('connection closed')), 'the end in the log');
  assert.ok(lines().some((line) => line.includes('connection opened') && /"total":\s*1/.test(line)), 'the beginning in the log');
  assert.ok(lines().some((line) => line.includes('codeContext')), 'the message in the log');
});
