// Many connections that do not read: what waits for all of them together must stay within SEND_MEMORY, and those who do
// read must notice nothing.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Bystander, Plain, Raw, Server, eventually, memory, report, size } from './kit.mjs';
import { fill, post } from './rest.mjs';

const MIB = 1024 * 1024;
const MAX = 24;

test('connections_that_do_not_read_together_stay_within_the_send_memory', async (t) => {
  // Together they fill what the kernel has for all sockets, which is 1.5 GiB on a machine of 16 GiB, and no more than that: else
  // who reads waits for the kernel and not for the server.
  const connections = size(80, 200);
  const server = await start(t);
  const reader = await subscriber(t, server);
  const slow = await Promise.all(Array.from({ length: connections }, () => mute(t, server, '/ws?channels=ai:jobs:flood')));
  await eventually(async () => (await server.health()).connections > connections, 'all are connected');
  const before = await memory(server);
  const bystander = Bystander.start(() => post(server, '/api/projects/p/tasks', { title: 'Sow' }));

  const [events, text] = [size(60, 120), 'x'.repeat(60_000)];
  for (let number = 0; number < events; number += 1) {
    await post(server, '/api/publish', { channel: 'ai:jobs:flood', type: 'job.done', data: { number, text } });
  }
  await eventually(() => reader.heard.length >= events, () => `all events; there are ${reader.heard.length}`);
  const figures = await bystander.stop();
  const [now, peak] = [await memory(server), await memory(server, 'VmHWM')];
  const closed = slow.filter(({ ended }) => ended).length;
  report(t, { connections, before, now, peak, closed, write: figures });

  assert.ok(peak - before < MAX + 60, `${peak - before} MiB more than before`);
  assert.equal(figures.failed, 0);
  assert.equal(reader.closed, undefined, 'whoever reads is not disconnected');
});

test('large_answers_that_nobody_reads_end_their_connections_and_no_others', async (t) => {
  // Larger than what the operating system takes for each connection.
  const asking = size(16, 100);
  const server = await start(t);
  const reader = await subscriber(t, server);
  await fill(server, 'large', size(1500, 5000), 8000);
  const before = await memory(server);
  const bystander = Bystander.start(() => post(server, '/api/projects/p/tasks', { title: 'Sow' }));

  const slow = [];
  for (let number = 0; number < asking; number += 1) {
    const raw = await Raw.open(t, server);
    raw.socket.pause();
    await raw.write('GET /api/projects/large/snapshot HTTP/1.1\r\nHost: x\r\n\r\n');
    slow.push(raw);
  }
  const settled = async () => {
    const now = await memory(server);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return Math.abs((await memory(server)) - now) < 0.5;
  };
  await eventually(settled, 'the answers are made');
  await post(server, '/api/publish', { channel: 'ai:jobs:flood', type: 'job.done', data: { last: true } });
  await eventually(() => reader.heard.length > 0, 'who reads is told');
  const figures = await bystander.stop();
  const [now, peak] = [await memory(server), await memory(server, 'VmHWM')];
  report(t, { asking, before, now, peak, write: figures });

  // Besides what is counted, two answers of 12 MiB (at full size 40 MiB) may be in the making, each in a few copies.
  assert.ok(peak - before < MAX + size(150, 220), `${peak - before} MiB more than before`);
  assert.equal(figures.failed, 0);
  assert.equal(reader.closed, undefined);
});

const start = (t) =>
  Server.start(t, { SEND_MEMORY: String(MAX * MIB), READ_RATE: 'none', USER_READ_RATE: 'none', EVENT_MEMORY: String(8 * MIB) });

/** A subscriber who reads. */
async function subscriber(t, server) {
  const reader = Plain.open(t, server, '/ws?channels=ai:jobs:flood');
  await reader.next('connection');
  reader.heard.length = 0;
  return reader;
}

/** A WebSocket that is opened and never read from. */
async function mute(t, server, path) {
  const raw = await Raw.open(t, server);
  const key = randomBytes(16).toString('base64');
  await raw.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  await eventually(() => raw.text.includes('101 Switching') && raw.received.length > 300, 'the greeting');
  raw.socket.pause();
  return raw;
}
