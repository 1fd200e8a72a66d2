// The example of a worker (examples/worker), and the flow of the IDE dashboard's page from end to end: an extension connects,
// sends code, hears suggestions; Redis has the event, and SSE delivers it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server } from './server.mjs';
import { Redis } from './services.mjs';
import { Plain } from './sockets.mjs';
import { eventually, within } from './wait.mjs';

const MAIN = fileURLToPath(new URL('../../examples/worker/src/main.mjs', import.meta.url));
const CODE = { file: 'src/utils.ts', language: 'typescript', content: 'function add(a, b) { return a + b; }' };

/** Starts the worker; it ends with the test, or when it is stopped. */
async function startWorker(t, server, env = {}) {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, BOARDCAST_URL: server.url, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (log += text));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async (signal = 'SIGTERM') => (child.kill(signal), within(ended, () => `the worker ends: ${log}`));
  t.after(() => stop('SIGKILL'));
  const line = await eventually(() => log.split('\n').find((each) => each.includes('worker listens')), () => `the worker listens: ${log}`);
  return { url: `http://127.0.0.1:${JSON.parse(line).port}`, stop };
}

async function scene(t, env = {}) {
  const server = await Server.start(t, { WORKER_CHANNEL: 'ai:worker', ...env });
  const worker = await startWorker(t, server);
  return { server, worker, open: (path = '/ws') => Plain.open(t, server, path) };
}

/** Connects, waits for nothing, and introduces itself, as extensions do. */
async function extension(t, server) {
  const ide = Plain.open(t, server, '/ws');
  await within(new Promise((resolve) => ide.on('open', resolve)), () => `the connection opens: ${JSON.stringify(ide.closed)}`);
  ide.send({ type: 'handshake', data: { apiKey: 'k', clientType: 'vscode', version: '1.2.0' } });
  const { clientId } = await ide.next('welcome');
  assert.deepEqual(ide.heard, [], 'welcome is the first message');
  return { ide, clientId };
}

/** A stream of events, as a page hears it. */
async function events(t, server, channels) {
  const end = new AbortController();
  t.after(() => end.abort());
  const response = await within(fetch(`${server.url}/api/events?channels=${channels}`, { signal: end.signal }), 'the stream begins');
  const heard = [];
  const decoder = new TextDecoder();
  (async () => {
    for await (const chunk of response.body) {
      for (const [, data] of decoder.decode(chunk, { stream: true }).matchAll(/^data: (.*)$/gm)) heard.push(JSON.parse(data));
    }
  })().catch(() => {});
  return heard;
}

/** What is published on Redis channels. */
function redisMessages(t, url, ...channels) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8');
  t.after(() => socket.destroy());
  // Redis ends first, and may do so rudely: without a listener that would end this file before its other hooks have run.
  socket.on('error', () => {});
  const heard = { text: '' };
  socket.on('data', (text) => (heard.text += text));
  socket.write(`SUBSCRIBE ${channels.join(' ')}\r\n`);
  return heard;
}

test('an extension sends code and hears suggestions with its correlation id', async (t) => {
  const { server } = await scene(t);
  const { ide } = await extension(t, server);
  ide.send({ type: 'codeContext', id: 'm1', data: CODE });
  const answer = await ide.next('suggestions');
  assert.equal(answer.correlationId, 'm1');
  const [{ id, type, title, description, confidence, test: proposed }, ...others] = answer.data;
  assert.deepEqual([type, title, description, confidence, others], ['test', 'Add unit test', 'This function needs tests', 0.75, []]);
  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(proposed.file, 'src/utils.test.ts');
  assert.match(proposed.code, /expect\(add\(/);

  // A test that was seen counts from then on.
  ide.send({ type: 'file_changed', data: { file: 'src/utils.test.ts', content: "test('add', () => { add(1, 2) })" } });
  ide.send({ type: 'suggestion_request', data: { file: 'src/utils.ts' } });
  assert.deepEqual((await ide.next('suggestions')).data, []);
});

test('every message of an extension is answered as it should', async (t) => {
  const { server } = await scene(t);
  const { ide } = await extension(t, server);
  const { ide: other } = await extension(t, server);
  ide.send({ type: 'context_update', data: { ...CODE, content: 'export const f = (x) => x;\nexport const g = (y) => (y ? 1 : 2);\n' } });
  ide.send({ type: 'selection_changed', data: { file: CODE.file, selection: { start: { line: 1 }, end: { line: 1 } } } });
  ide.send({ type: 'suggestion_request', id: 's', data: {} });
  const suggested = await ide.next('suggestions');
  assert.deepEqual(suggested.data.map((each) => [each.function, each.line, each.confidence]), [['g', 2, 0.8]]);

  ide.send({ type: 'analyzeCode', id: 'a', data: { file: CODE.file } });
  const { data, correlationId } = await ide.next('analysis');
  assert.equal(correlationId, 'a');
  assert.deepEqual(data.functions.map(({ name, parameters, complexity, tested }) => [name, parameters, complexity, tested]),
    [['f', ['x'], 1, false], ['g', ['y'], 2, false]]);
  assert.deepEqual([data.metrics.functions, data.metrics.coverage, data.suggestions.length], [2, 0, 2]);

  ide.send({ type: 'startTDD', data: { feature: 'login' } });
  const { tddId, phase } = (await ide.next('tddProgress')).data;
  assert.equal(phase, 'red');
  for (const [action, expected] of [['test_failed', 'green'], ['test_passed', 'refactor'], ['next', 'red']]) {
    ide.send({ type: 'tdd_action', data: { tddId, action } });
    assert.equal((await ide.next('tddProgress')).data.phase, expected, action);
  }
  ide.send({ type: 'tdd_action', data: { tddId, action: 'test_passed' } });
  assert.match((await ide.next('tddProgress')).data.error, /test_failed/);
  other.send({ type: 'tdd_action', data: { tddId, action: 'next' } });
  assert.match((await other.next('tddProgress')).data.error, /startTDD/, "it is another client's");
  assert.deepEqual(ide.heard.filter(({ type }) => type === 'error'), []);
});

test('what the worker does reaches Redis, and pages over SSE', async (t) => {
  const redis = await Redis.start(t);
  const channels = 'ai:jobs:status,memory:new-items';
  const server = await Server.start(t, { WORKER_CHANNEL: 'ai:worker', REDIS_URL: redis.url, INGRESS_CHANNELS: channels });
  await startWorker(t, server, { REDIS_URL: redis.url });
  const inRedis = redisMessages(t, redis.url, ...channels.split(','));
  const heard = await events(t, server, channels);
  await eventually(async () => (await (await fetch(`${server.url}/health`)).json()).ingress?.status === 'available', 'ingress is available');
  const { ide, clientId } = await extension(t, server);
  ide.send({ type: 'codeContext', data: CODE });
  assert.equal((await ide.next('suggestions')).data.length, 1);
  const job = await eventually(() => heard.find(({ channel }) => channel === 'ai:jobs:status'), 'SSE delivers the job');
  assert.deepEqual([job.message.status, job.message.result], ['completed', { suggestions: 1 }]);
  assert.match(job.message.jobId, /^job_/);
  assert.ok(inRedis.text.includes(job.message.jobId), 'Redis has it');
  ide.send({ type: 'memoryUpdate', data: { text: 'prefers tabs' } });
  await ide.next('memoryUpdated');
  const item = await eventually(() => heard.find(({ channel }) => channel === 'memory:new-items'), 'SSE delivers the item');
  assert.deepEqual([item.message.text, item.message.clientId], ['prefers tabs', clientId]);
});

test('what came while the worker was away is answered when it is back', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'worker-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const server = await Server.start(t, { WORKER_CHANNEL: 'ai:worker' });
  const env = { STATE_FILE: join(directory, 'cursor') };
  const first = await startWorker(t, server, env);
  const { ide } = await extension(t, server);
  ide.send({ type: 'codeContext', id: '1', data: CODE });
  await ide.next('suggestions');
  await first.stop('SIGTERM');
  ide.send({ type: 'codeContext', id: '2', data: CODE });
  assert.equal((await eventually(() => ide.heard.find(({ type, id }) => type === 'ack' && id === '2'), 'the ack')).ok, true);
  await startWorker(t, server, env);
  let answer;
  while (answer?.correlationId !== '2') answer = await ide.next('suggestions');
});

test('a canvas asks for something, and its session hears how it goes', async (t) => {
  const { worker, open } = await scene(t);
  const canvas = open('/ws?sessionId=background_task_123');
  await canvas.next('connection');
  const response = await fetch(`${worker.url}/api/agent/generate`, {
    method: 'POST',
    body: JSON.stringify({ sessionId: 'background_task_123', prompt: 'Create a React component', targetFile: 'src/Component.tsx' }),
  });
  assert.equal(response.status, 202);
  assert.equal((await response.json()).success, true);
  const start = await canvas.next('ai_start');
  assert.equal(start.sessionId, 'background_task_123');
  assert.deepEqual(start.task, { prompt: 'Create a React component', mode: 'generate', targetFile: 'src/Component.tsx' });
  const { progress } = await canvas.next('ai_progress');
  assert.ok(progress.chunksReceived > 0 && progress.contentLength > 0);
  const { result } = await canvas.next('ai_complete');
  assert.ok(result.chunks >= progress.chunksReceived && result.contentLength >= progress.contentLength);
  assert.deepEqual([result.mode, result.targetFile], ['generate', 'src/Component.tsx']);
  for (const [body, status] of [['{', 400], ['{"prompt":"x"}', 400]]) {
    assert.equal((await fetch(`${worker.url}/api/agent/generate`, { method: 'POST', body })).status, status, body);
  }
  assert.equal((await fetch(`${worker.url}/api/other`)).status, 404);
});
