// A reader of the log that stops reading: nothing may wait for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bystander, Plain, Raw, Server, eventually, memory, report, size, within } from './kit.mjs';

/** Long paths, of which the log had each; and reads, of which it has each statement at the level `debug`. */
const REQUESTS = Buffer.from(['x'.repeat(8_000), ...Array(10).fill('projects')].map((path) => `GET /api/${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
const TALKATIVE = { LOG_LEVEL: 'debug', USER_READ_RATE: 'none' };

test('nobody waits for whoever reads the log', async (t) => {
  const server = await Server.start(t, TALKATIVE);
  const plain = Plain.open(t, server, '/ws');
  await eventually(() => plain.heard.length > 0, 'a greeting');
  const reader = server.stallLog();
  let number = 0;
  const bystander = Bystander.start(async () => {
    const live = await fetch(`${server.url}/live`, { signal: AbortSignal.timeout(2_000) });
    assert.equal(live.status, 200);
    const id = (number += 1);
    plain.send({ id, type: 'task:create', projectId: 'p', taskId: `t${id}`, title: 'x' });
    await within(eventually(() => plain.heard.some((message) => message.id === id && message.ok), 'an ack'), 'an ack');
  });
  const raw = await Raw.open(t, server);
  const end = performance.now() + size(2_000, 20_000);
  let requests = 0;
  while (performance.now() < end && !raw.ended) requests += await raw.write(REQUESTS, 500);
  const { count, failed, p99 } = await bystander.stop();
  const { log } = await server.health();
  report(t, { requests, 'acked meanwhile': count - failed, 'bystander p99 ms': p99, dropped: log.dropped, 'RSS MiB': await memory(server) });
  assert.equal(failed, 0);
  assert.ok(count > 10, `${count} times`);
  assert.ok(log.dropped > 0, 'what could not be written is counted');
  reader.goOn();
  await eventually(() => server.log.includes('lines of the log were dropped'), 'the log says that lines are missing');
});

test('a server whose log nobody reads ends in time, and one that is read loses no last line', async (t) => {
  const server = await Server.start(t, TALKATIVE);
  server.stallLog();
  const raw = await Raw.open(t, server);
  await eventually(async () => (await raw.write(REQUESTS), (await server.health()).log.dropped > 0), 'a full pipe');
  const start = performance.now();
  await server.stop('SIGTERM');
  report(t, { 'ms to end': performance.now() - start });

  await server.start();
  await server.stop('SIGTERM');
  assert.match(server.log, /"shut down"/);
});
