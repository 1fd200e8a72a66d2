// One command that stops everybody's writes: by what follows from it in a project of many tasks, by asking for a place
// among many cards, by many such commands at once. Others must go on as if nothing were.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, LATEST } from '../clients/clients.mjs';
import { Bystander, Server, memory, report, size } from './kit.mjs';

const TASKS = size(3_000, 230_000);
/** Changes that are on their way at the same time while a project is filled. */
const AT_ONCE = 500;
const FREE = { COMMAND_RATE: 'none', READ_RATE: 'none', USER_COMMAND_RATE: 'none', USER_READ_RATE: 'none' };
/** How late a bystander's change may be on a loaded machine and a debug build, in milliseconds; and how much memory the attack may take up, in MiB. */
const MAX_P99 = size(400, 100);
const MAX_MEMORY = 150;

async function fill(attacker, fields, tasks) {
  for (let at = 0; at < tasks; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, tasks - at) }, (_, n) => n + at);
    await Promise.all(some.map((n) => attacker.accepted('task:create', { projectId: 'p', taskId: `t${n}`, ...fields(n) })));
  }
}

/** Somebody who changes a task of another project, again and again. */
async function bystand(t, server) {
  const client = await Client.connect(server, LATEST);
  let count = 0;
  return Bystander.start(async () => {
    count += 1;
    await client.accepted('task:update', { projectId: 'q', taskId: 'mine', updates: { count } });
  });
}

/** Waits until everything has followed. */
async function followed(server) {
  const deadline = performance.now() + size(30_000, 600_000);
  for (;;) {
    const { writer } = await server.health();
    if (writer.cascades === 0) return;
    assert.ok(performance.now() < deadline, `${writer.cascade_tasks} tasks are left`);
    await delay(50);
  }
}

/** How many tasks, of the first few, still refer to the epic. */
async function referring(server, epic) {
  const page = await (await fetch(`${server.url}/api/projects/p/tasks?epicId=${epic}&limit=5`)).json();
  return page.items.length;
}

test(`epic:delete with ${TASKS} tasks is acked at once and delays nobody`, async (t) => {
  const server = await Server.start(t, FREE);
  const attacker = await Client.connect(server, LATEST);
  await fill(attacker, () => ({ title: 'x', epicId: 'e' }), TASKS);
  const before = await memory(server);
  const bystander = await bystand(t, server);
  const started = performance.now();
  const ack = await attacker.accepted('epic:delete', { projectId: 'p', epicId: 'e' });
  const acked = performance.now() - started;
  assert.ok(ack.pending > 0, JSON.stringify(ack));
  await followed(server);
  const whole = performance.now() - started;
  const others = await bystander.stop();
  const grown = (await memory(server, 'VmHWM')) - before;
  const { writer } = await server.health();
  report(t, { tasks: TASKS, acked, whole, grown, ...others, slowest: writer.slowest_commit_ms, slow: writer.slow_commits });
  assert.equal(others.failed, 0);
  assert.ok(others.p99 < MAX_P99, `p99 ${others.p99}`);
  assert.ok(grown < MAX_MEMORY, `${grown} MiB`);
  assert.equal(await referring(server, 'e'), 0);
});

test(`places among ${TASKS} cards cost little, and many of them delay nobody`, async (t) => {
  const server = await Server.start(t, FREE);
  const attacker = await Client.connect(server, LATEST);
  await fill(attacker, () => ({ status: 'todo' }), TASKS);
  const alone = [];
  for (const place of [{ position: 0 }, { position: TASKS >> 1 }, { position: TASKS }, { afterId: 't7' }, { beforeId: 't9' }]) {
    const started = performance.now();
    await attacker.accepted('task:move', { projectId: 'p', taskId: 't1', ...place });
    alone.push([JSON.stringify(place), Math.round((performance.now() - started) * 10) / 10]);
  }
  const bystander = await bystand(t, server);
  const moves = Array.from({ length: size(300, 2_000) }, (_, n) => {
    return attacker.accepted('task:move', { projectId: 'p', taskId: `t${n}`, position: (n * 37) % TASKS });
  });
  await Promise.all(moves);
  const others = await bystander.stop();
  report(t, { alone: Object.fromEntries(alone), ...others });
  assert.equal(others.failed, 0);
  assert.ok(others.p99 < MAX_P99, `p99 ${others.p99}`);
});

test('many deletes of epics with some tasks each delay nobody', async (t) => {
  const server = await Server.start(t, FREE);
  const attacker = await Client.connect(server, LATEST);
  const epics = size(30, 1_000);
  const each = size(60, 150);
  await fill(attacker, (n) => ({ epicId: `e${n % epics}` }), epics * each);
  const bystander = await bystand(t, server);
  const deletes = Array.from({ length: epics }, (_, n) => attacker.accepted('epic:delete', { projectId: 'p', epicId: `e${n}` }));
  await Promise.all(deletes);
  await followed(server);
  const others = await bystander.stop();
  report(t, { epics, each, ...others });
  assert.equal(others.failed, 0);
  assert.ok(others.p99 < MAX_P99, `p99 ${others.p99}`);
});
