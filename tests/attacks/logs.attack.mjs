// What strangers can write into the log: how much, and whose secrets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { io } from '../clients/node_modules/socket.io-client/build/esm-debug/index.js';
import { Bystander, Plain, Raw, Server, eventually, report, size, within } from './kit.mjs';
import { REQUIRED, tokenOf } from '../clients/tokens.mjs';

const ORIGIN = 'https://app.example.com';

test('long paths without a token fill no disk', async (t) => {
  // At these rates a moment is enough to use up what an address may try.
  const server = await Server.start(t, { ...REQUIRED, USER_READ_RATE: size('25/250', '250/2500') });
  const bystander = Bystander.start(async () => assert.equal((await fetch(`${server.url}/live`)).status, 200));
  const raw = await Raw.open(t, server);
  const request = Buffer.from(`GET /api/${'x'.repeat(60_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const seconds = size(1.5, 10);
  const before = server.logged;
  const end = performance.now() + seconds * 1000;
  let sent = 0;
  while (performance.now() < end && !raw.ended) sent += await raw.write(request);
  await delay(100);
  const perSecond = (server.logged - before) / seconds;
  const { p99 } = await bystander.stop();
  report(t, { requests: sent, 'log bytes/s': perSecond, 'bystander p99 ms': p99 });
  assert.ok(raw.text.includes(' 429 '), 'a path without a token is paid for');
  assert.ok(perSecond < 20_000, `${perSecond} bytes of log per second`);
  const { log } = await server.health();
  assert.ok(log.suppressed > 0 && log.dropped === 0, JSON.stringify(log));
});

test('refusals at any door are a line a second of each kind', async (t) => {
  const env = { ...REQUIRED, CORS_ORIGINS: ORIGIN, ADMIN_TOKEN: 'an admin token of tests' };
  const server = await Server.start(t, { ...env, USER_READ_RATE: 'none' });
  const authorization = `Bearer ${tokenOf('ann')}`;
  const before = server.logged;
  const times = size(60, 600);
  const start = performance.now();
  const ask = async (path, init) => (await fetch(server.url + path, init)).arrayBuffer();
  const doors = [
    () => ask('/api/projects'),
    () => ask('/api/nothing', { headers: { authorization } }),
    () => ask('/api/projects', { headers: { origin: 'https://evil.example' } }),
    () => ask('/api/projects/p/tasks?limit=x', { headers: { authorization } }),
    () => ask('/api/publish', { method: 'POST', headers: { authorization }, body: '{' }),
    () => ask('/api/events?channels=a', { headers: { 'x-request-id': 'i'.repeat(128) } }),
    () => ask('/admin/sockets', { headers: { authorization: 'Bearer wrong' } }),
    () => ask('/socket.io/?EIO=4&transport=polling', { headers: { origin: 'https://evil.example' } }),
    () => refusedSocket(server),
    () => refusedPlain(t, server),
  ];
  for (const door of doors) await Promise.all(Array.from({ length: times }, door));
  const seconds = (performance.now() - start) / 1000;
  const bytes = server.logged - before;
  report(t, { refusals: times * doors.length, seconds, 'log bytes': bytes, 'bytes per refusal': bytes / times / doors.length });
  assert.ok(bytes < 60_000 + seconds * 20_000, `${bytes} bytes in ${seconds} s`);
});

test('refused messages of one connection are a line a second', async (t) => {
  const server = await Server.start(t, { USER_READ_RATE: 'none', READ_RATE: 'none', USER_COMMAND_RATE: 'none', COMMAND_RATE: 'none' });
  const plain = Plain.open(t, server, '/ws');
  await eventually(() => plain.heard.length > 0, 'a greeting');
  const before = server.logged;
  const times = size(2_000, 20_000);
  for (let id = 0; id < times; id += 1) plain.send({ id, type: `task:create`, title: '\u001b[2J\n'.repeat(200) });
  await eventually(() => plain.heard.some(({ id }) => id === times - 1), 'the last answer');
  report(t, { messages: times, 'log bytes': server.logged - before });
  assert.ok(server.logged - before < 40_000, `${server.logged - before} bytes`);
});

test('the log keeps secrets', async (t) => {
  const server = await Server.start(t, { ...REQUIRED, LOG_LEVEL: 'boardcast=debug', ADMIN_TOKEN: 'an admin token of tests' });
  const headers = { authorization: `Bearer ${tokenOf('ann')}` };
  const secret = 's3cr3t';
  const stolen = tokenOf('bob', -100_000);
  const paths = [
    `/api/channels/session:${secret}/nothing`,
    `/api/channels/%73ession%3a${secret}/nothing`,
    `/api/channels/session%253A${secret}/x`,
    `/api/channels/session:${secret}/events?since=x&limit=x&cursor=${secret}`,
    `/api/${stolen}`,
    `/api/bck_name_${secret}`,
    `/api/channels/session:${secret}/events?token=${stolen}`,
    `/api/events?channels=session:${secret}&since=${secret}&limit=x`,
    `/socket.io/?EIO=4&transport=polling&sid=${secret}`,
  ];
  for (const path of paths) {
    for (const init of [{}, { headers }]) {
      const abort = AbortSignal.timeout(500);
      await fetch(server.url + path, { ...init, signal: abort }).then((answer) => answer.body?.cancel(), () => {});
    }
  }
  const body = JSON.stringify({ channel: `session:${secret}`, type: 'two words', data: 1 });
  await fetch(`${server.url}/api/publish`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body });
  const plain = Plain.open(t, server, `/ws?token=${tokenOf('ann')}`);
  await eventually(() => plain.heard.length > 0, 'a greeting');
  plain.send({ id: 1, type: `session:${secret}` });
  plain.send({ id: 2, type: 'subscribe', channels: [`session:${secret} x`, `session:${secret}\u001b[2J`] });
  await eventually(() => plain.heard.some(({ id }) => id === 2), 'an answer');
  await delay(50);
  const { log } = server;
  assert.ok(log.includes('session:…'), 'a path is logged');
  assert.ok(!log.includes(secret), log.split('\n').find((line) => line.includes(secret)));
  assert.ok(!log.includes(stolen.split('.')[2]), 'a token');
  assert.ok(!log.includes('\u001b'), 'an escape');
});

async function refusedSocket(server) {
  const socket = io(server.url, { auth: { token: 'x'.repeat(500) }, reconnection: false, forceNew: true, transports: ['websocket'] });
  await within(new Promise((resolve) => socket.on('connect_error', resolve)), 'a refusal');
  socket.close();
}

async function refusedPlain(t, server) {
  const plain = Plain.open(t, server, '/ws?token=wrong');
  await eventually(() => plain.closed ?? plain.heard.length > 0, 'a refusal');
  plain.cut();
}
