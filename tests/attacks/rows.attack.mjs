// Names that nobody has ever used: reading them, subscribing to them and being refused there writes nothing.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { get, Polling, post, Stream } from './doors.mjs';
import { Bystander, Plain, Server, report, size } from './kit.mjs';

const names = (count) => Array.from({ length: count }, () => `session:${randomUUID().slice(0, 8)}`);

/** A server whose database file can be looked at. */
async function start(t, env = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'boardcast-rows-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'board.db');
  const server = await Server.start(t, { DATABASE_URL: `sqlite:${path}`, ...env });
  const bytes = async () => {
    const sizes = await Promise.all([path, `${path}-wal`].map((file) => stat(file).then(({ size }) => size, () => 0)));
    return sizes.reduce((sum, each) => sum + each);
  };
  return { server, bytes };
}

/** The number that a new channel gets: one more than there ever were rows. */
async function nextNumber(server) {
  const { body } = await post(server, '/api/publish', { channel: `session:${randomUUID()}`, type: 't', data: {} });
  return Number(body.cursor.split('.')[1].split(':')[0]);
}

const UNLIMITED = { READ_RATE: 'none', USER_READ_RATE: 'none', COMMAND_RATE: 'none', USER_COMMAND_RATE: 'none' };

test('reads and subscriptions of unused names make no rows', async (t) => {
  const { server, bytes } = await start(t, UNLIMITED);
  const before = await nextNumber(server);
  const written = await bytes();
  const bystander = Bystander.start(async () => {
    const { status } = await post(server, '/api/publish', { channel: 'session:bystander', type: 't', data: {} });
    assert.equal(status, 201);
  });
  const reads = size(200, 20_000);
  for (let at = 0; at < reads; at += 50) {
    await Promise.all(names(50).map((name) => get(server, `/api/channels/${name}/events`)));
    await Promise.all(names(5).map((name) => get(server, `/api/projects/${name}/snapshot`)));
  }
  const rounds = size(3, 30);
  for (let round = 0; round < rounds; round += 1) {
    const polling = await Polling.open(t, server, {});
    assert.equal((await polling.ask(1, 'subscribe', { channels: names(200) })).ok, true);
    const flat = Plain.open(t, server, `/ws?channels=${names(100)}`);
    flat.on('open', () => flat.send({ type: 'subscribe', channels: names(100) }));
    await flat.next('subscribed');
    const enveloped = Plain.open(t, server, `/ws/v1?channels=${names(100)}`);
    await enveloped.next('connect');
    (await Stream.open(t, server, `channels=${names(200)}`)).stop();
    flat.cut();
    enveloped.cut();
  }
  const user = await bystander.stop();
  const after = await nextNumber(server);
  // The bystander's channel, and the one that tells the number.
  assert.ok(after - before <= 2, `${after - before - 2} rows were made`);
  report(t, { reads, subscriptions: rounds * 700, rows: after - before - 2, 'bytes grown': (await bytes()) - written, 'bystander p99 ms': user.p99 });
  assert.equal(user.failed, 0);
});

test('refused commands on unused projects make no rows', async (t) => {
  const { server } = await start(t, { ...UNLIMITED, STRICT: 'true' });
  const before = await nextNumber(server);
  const polling = await Polling.open(t, server, {});
  const count = size(50, 2_000);
  for (let id = 0; id < count; id += 1) {
    const refused = await polling.ask(id, 'task:update', { projectId: randomUUID(), taskId: 't', title: 'x', idempotencyKey: randomUUID() });
    assert.equal(refused.ok, false, JSON.stringify(refused));
  }
  const after = await nextNumber(server);
  assert.ok(after - before <= 1, `${after - before - 1} rows were made`);
  report(t, { refused: count, rows: after - before - 1 });
});

test('a subscription costs what it names', async (t) => {
  const { server } = await start(t);
  const polling = await Polling.open(t, server, {});
  const started = performance.now();
  for (let id = 1; id <= 7; id += 1) {
    const channels = names(100);
    assert.equal((await polling.ask(id, 'subscribe', { channels })).ok, true);
    await polling.ask(1_000 + id, 'unsubscribe', { channels });
  }
  // 500 at once and 50 a second; the last one may owe the rest.
  const took = performance.now() - started;
  assert.ok(took > 2_000, `7 subscriptions to 100 channels each in ${took} ms`);
  report(t, { channels: 700, 'ms': took });
});
