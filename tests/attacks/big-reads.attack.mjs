// Large reads: those who ask for a whole project must not keep others waiting, and pay by the size of what they get.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bystander, Server, eventually, memory, report, size } from './kit.mjs';
import { fill, post } from './rest.mjs';

test('large_snapshots_do_not_keep_others_waiting', async (t) => {
  const [tasks, readers, rounds] = [size(3000, 20_000), 16, size(1, 3)];
  const server = await Server.start(t, { USER_READ_RATE: 'none', USER_COMMAND_RATE: 'none' });
  await fill(server, 'large', tasks, 400);
  const act = () => post(server, '/api/projects/p/tasks', { title: 'Sow' });
  const quiet = Bystander.start(act, 5);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const alone = await quiet.stop();
  const before = await memory(server);

  const bystander = Bystander.start(act, 5);
  const begun = performance.now();
  let bytes = 0;
  for (let round = 0; round < rounds; round += 1) {
    const read = async () => {
      const response = await fetch(`${server.url}/api/projects/large/snapshot`, { headers: { 'accept-encoding': 'gzip' } });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-encoding'), 'gzip');
      const text = await response.text();
      assert.equal(JSON.parse(text).tasks.length, tasks);
      bytes = text.length;
    };
    await Promise.all(Array.from({ length: readers }, read));
  }
  const took = performance.now() - begun;
  const figures = await bystander.stop();
  const [now, peak] = [await memory(server), await memory(server, 'VmHWM')];
  report(t, { tasks, bytes, took, before, now, peak, alone, write: figures });

  assert.equal(figures.failed, 0);
  assert.ok(figures.p99 < 400 + 4 * alone.p99, `others waited ${figures.p99} ms, ${alone.p99} ms when alone`);
});

test('a_read_costs_by_the_size_of_its_answer', async (t) => {
  const server = await Server.start(t, { USER_READ_RATE: '10/20' });
  await fill(server, 'large', 500, 4000);
  const read = (project) => fetch(`${server.url}/api/projects/${project}/snapshot`);
  const large = [];
  const ask = async () => {
    const response = await read('large');
    await response.arrayBuffer();
    large.push(response.status);
    return response.status === 429;
  };
  await eventually(ask, 'large reads are refused');
  report(t, { largeReads: large.length - 1 });
  // Two megabytes cost as much as 31 reads.
  assert.ok(large.length <= 3, `${large.length} large reads at once`);
});
