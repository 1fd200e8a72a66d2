// a-ide-dashboard.md: extensions of IDEs, a dashboard, and jobs that publish through Redis.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Browser } from '../clients/browser.mjs';
import { Daemon } from '../clients/daemon.mjs';
import { Server } from '../clients/server.mjs';
import { Redis } from '../clients/services.mjs';
import { Plain } from '../clients/sockets.mjs';
import { eventually, within } from '../clients/wait.mjs';
import { publish } from './backend.mjs';
import { assertShown } from './match.mjs';
import { RedisClient } from './redis.mjs';
import { Application, shown, snippet } from './snippets.mjs';

const page = (name) => `a-ide-dashboard/${name}`;
const { url: REDIS_URL } = await Redis.start({ after });

/** As much of a test runner as the page's tests use: answers what was declared. */
function runner() {
  const tests = {};
  const toBe = (actual) => ({ toBe: (expected) => assert.equal(actual, expected) });
  return { tests, globals: { describe: (_, declare) => declare(), it: (name, run) => (tests[name] = run), expect: toBe } };
}

/** The page's `connectClient`. */
const connectClient = (t, server) => async () => {
  const plain = Plain.open(t, server, '/ws');
  await within(new Promise((resolve) => plain.on('open', resolve)), 'a connection');
  return {
    send: async (message) => plain.send(message),
    receive: async () => (await eventually(() => plain.heard.length, 'a message'), plain.heard.shift()),
  };
};

test('unit test example: a handshake is answered with welcome first', async (t) => {
  const server = await Server.start(t);
  const { tests, globals } = runner();
  const application = new Application(t, server, { globals: { ...globals, connectClient: connectClient(t, server) } });
  // The page leaves the handshake's data open.
  application.evaluate(snippet(page('10-unit-test.ts')).replace('{ ... }', '{}'));
  await tests['should handle handshake']();
});

test('handshake authentication: an invalid API key is answered as the page says, and the connection closed', async (t) => {
  const server = await Server.start(t, { AUTH_REQUIRED: 'true', AUTH_SECRET: 'a secret of thirty-two characters' });
  const [, error] = snippet(page('05-handshake-authentication.ts')).match(/sendError\(client, '([^']+)'\)/);
  for (const data of [{ apiKey: 'nonsense' }, {}]) {
    const plain = Plain.open(t, server, '/ws');
    await within(new Promise((resolve) => plain.on('open', resolve)), 'a connection');
    plain.send({ type: 'handshake', data });
    assert.equal((await plain.next('error')).error, error);
    await eventually(() => plain.closed, 'the end');
  }
});

test('Redis to EventSource example: the page hears what a job has published', async (t) => {
  const server = await Server.start(t, { REDIS_URL });
  const redis = await RedisClient.connect(t, REDIS_URL);
  const [publishes, hears] = snippet(page('03-redis-to-eventsource.js')).split(/^\/\/ UI .*$/m);
  const browser = await Browser.start(t);
  const tab = await browser.page();
  await tab.goto(`${server.url}/health`);
  // The page leaves open what is done with what was heard.
  const hear = hears.replace('// Update UI based on channel and message', 'heard.push({ channel, message });');
  await tab.evaluate(`var heard = []; var eventSource = new EventSource('/api/events'); ${hear}; 0`);
  await tab.waitForFunction('eventSource.readyState === 1');
  await eventually(async () => (await server.health()).ingress?.status === 'available', 'the server hears Redis');
  const application = new Application(t, server, { globals: { redis } });
  application.evaluate(publishes);
  await tab.waitForFunction('heard.length > 0');
  const [{ channel, message }] = await tab.evaluate('heard');
  assert.equal(channel, 'ai:jobs:status');
  assertShown(message, { jobId: 'job_123', status: 'completed', result: { suggestions: 5 } });
});

test('metrics: published and kept in Redis in the documented shape', async (t) => {
  const server = await Server.start(t, { REDIS_URL, ENABLE_METRICS: 'true' });
  const listener = await RedisClient.connect(t, REDIS_URL);
  await listener.subscribe('metrics:websocket');
  await Plain.open(t, server, '/ws').next('connection');
  const [text] = snippet(page('07-metrics.ts')).match(/\{\n\s+connections: [^]*?\n  \}/);
  const shape = new Application(t, server).evaluate(`JSON.parse(JSON.stringify(${text}))`);
  const numbers = ['active', 'total', 'failed', 'sent', 'received', 'errors'];
  const withConnection = () => listener.messages.map(([, text]) => JSON.parse(text)).find(({ connections }) => connections.active >= 1);
  assertShown(await eventually(withConnection, 'metrics'), shape, [...numbers, 'latency']);
});

test('load test example: 100 clients, and the metrics count them', async (t) => {
  const server = await Server.start(t, { REDIS_URL, ENABLE_METRICS: 'true' });
  const redis = await RedisClient.connect(t, REDIS_URL);
  // The page's worker is its own; it opens a connection.
  const Worker = function Worker() {
    Plain.open(t, server, '/ws');
  };
  const application = new Application(t, server, { globals: { redis }, packages: { worker_threads: { Worker } } });
  application.run(page('12-load-test.js'));
  const counted = () => application.calls.of('log').find(([, metrics]) => JSON.parse(metrics ?? '{}').connections?.active === 100);
  await eventually(counted, '100 connections in the metrics');
});

test('environment file: the server starts with it, and obeys it', async (t) => {
  const lines = snippet(page('15-env.production.env')).split('\n').filter((line) => /^\w+=/.test(line));
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/).slice(0, 2)));
  assert.equal(env.WS_PORT, '3000');
  // Host and port apart.
  const server = await Server.start(t, { ...env, REDIS_URL, WS_PORT: '0', PORT: '' });
  const plain = Plain.open(t, server, env.WS_PATH);
  await plain.next('connection');
  plain.send({ type: 'subscribe', channel: 'project:p' });
  assert.equal((await plain.next('error')).code, 'unauthenticated', 'AUTH_REQUIRED');
});

/** nginx with the page's two locations, in front of `server`. */
async function nginx(t, server) {
  const temporary = (directory) =>
    ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(directory, kind)};`).join(' ');
  const { port } = await Daemon.start(t, {
    command: async ({ directory, port }) => {
      const site = `server { listen 127.0.0.1:${port}; ${snippet(page('17-nginx.conf'), server)} }`;
      const file = join(directory, 'nginx.conf');
      await writeFile(file, `events {} http { access_log off; ${temporary(directory)} ${site} }`);
      return ['nginx', '-e', 'stderr', '-p', directory, '-c', file, '-g', `daemon off; pid ${join(directory, 'pid')};`];
    },
    ready: ({ directory }) => existsSync(join(directory, 'pid')),
    signal: 'SIGTERM',
  });
  return { port, url: `http://127.0.0.1:${port}` };
}

test('nginx configuration: WebSockets and events pass through it at once', async (t) => {
  const server = await Server.start(t);
  const proxy = await nginx(t, server);
  const plain = Plain.open(t, proxy, '/ws');
  await plain.next('connection');
  const stream = await fetch(`${proxy.url}/api/events?channels=ai:jobs:status`);
  assert.equal(stream.headers.get('content-type').split(';')[0], 'text/event-stream');
  const reader = stream.body.getReader();
  t.after(() => reader.cancel());
  let text = '';
  const reading = (async () => {
    for (let part; !(part = await reader.read()).done; ) text += Buffer.from(part.value);
  })();
  reading.catch(() => {});
  plain.send({ type: 'subscribe', channel: 'ai:jobs:status' });
  await plain.next('subscribed');
  await publish(server, 'ai:jobs:status', 'job', { jobId: 'job_123' });
  await eventually(() => text.includes('job_123'), 'an event through nginx');
  assert.deepEqual((await plain.next('job')).data, { jobId: 'job_123' });
});

test('code context example: answered with the suggestions of the page', async (t) => {
  const server = await Server.start(t, { WORKER_CHANNEL: 'ai:worker' });
  await startWorker(t, server);
  const [asked, answer] = [0, 1].map((index) => shown(page('02-code-context-and-suggestions.js'), index));
  const ide = Plain.open(t, server, '/ws');
  await ide.next('connection');
  ide.send(asked);
  assertShown(await ide.next('suggestions'), answer, ['id']);
});

/** Starts the worker of the examples, which stands for the page's own. */
async function startWorker(t, server) {
  const main = fileURLToPath(new URL('../../examples/worker/src/main.mjs', import.meta.url));
  const env = { PATH: process.env.PATH, BOARDCAST_URL: server.url, WORKER_CHANNEL: 'ai:worker', PORT: '0' };
  const worker = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => worker.kill());
  let said = '';
  worker.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  await eventually(() => said.includes('worker listens'), 'the worker');
}
