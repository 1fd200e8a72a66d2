// Connection state recovery on several instances: on another one than before, while instances are killed, and after all
// of them were. `stream.mjs` tells how to run the test of random cuts for longer.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, LATEST } from './clients.mjs';
import { Nginx } from './nginx.mjs';
import { Proxy } from './proxy.mjs';
import { seeded } from './random.mjs';
import { Server } from './server.mjs';
import { Postgres, Redis } from './services.mjs';
import { assertRecovered, assertSaw, at, CUTS, cutAtRandom, IMPATIENT } from './stream.mjs';
import { OFTEN_PINGED, RECOVERING, SECONDS, Stream } from './stream.mjs';
import { eventually } from './wait.mjs';

const KILLS = Math.ceil(SECONDS / 3);
const MISSED = 500;

const [postgres, redis] = await Promise.all([Postgres.start({ after }), Redis.start({ after })]);

async function instances(t, count) {
  const env = { DATABASE_URL: await postgres.database(), REDIS_URL: redis.url, ...OFTEN_PINGED };
  return Promise.all(Array.from({ length: count }, () => Server.start(t, env)));
}

/** A client of each kind in project `p1`, through a proxy of its own to one of `targets`. */
async function join(t, targets) {
  return Promise.all(
    RECOVERING.map(async (which, index) => {
      const proxy = await Proxy.start(t, targets[index % targets.length]);
      const client = await Client.connect(proxy, which, IMPATIENT);
      await client.join('p1');
      return { proxy, client, label: which.label };
    }),
  );
}

/** Kills one instance after the other, and starts it again after up to half a second. */
async function killAtRandom(servers, random) {
  await at(random.moments(KILLS, SECONDS * 1_000), async () => {
    const victim = random.pick(servers);
    await victim.stop('SIGKILL');
    await delay(random.fraction() * 500);
    await victim.start();
  });
}

test(`three instances behind nginx, killed ${KILLS} times while clients are cut ${CUTS} times in ${SECONDS} s`, (t) =>
  seeded(t, async (random) => {
    const servers = await instances(t, 3);
    const nginx = await Nginx.start(t, servers.map(({ port }) => port));
    const members = await join(t, [nginx]);
    const writer = await Client.connect(nginx, LATEST);
    const stream = new Stream(writer, 'p1');
    await Promise.all([
      killAtRandom(servers, random.fork()),
      ...members.map((member) => cutAtRandom(member, random.fork())),
    ]);
    await stream.stop();

    const log = await writer.log('p1');
    for (const { client, label } of members) {
      await assertSaw(client, log, label);
      assertRecovered(client, CUTS / 4, label);
    }
  }));

test(`all instances are killed, ${MISSED} events are written by one that clients cannot reach`, async (t) => {
  const [first, second, unreachable] = await instances(t, 3);
  const members = await join(t, [first, second]);
  const writer = await Client.connect(unreachable, LATEST);
  await writer.accepted('task:create', { projectId: 'p1', title: 'before' });
  await Promise.all(members.map(({ client }) => client.heard(1)));

  await Promise.all([first, second].map((server) => server.stop('SIGKILL')));
  await eventually(() => members.every(({ client }) => !client.socket.connected), 'everybody is away');
  // Most frontends join in their `connect` handler, each time: here in the midst of what was missed.
  for (const { client: { socket } } of members.slice(0, 3)) {
    socket.on('connect', () => socket.emit('join:project', 'p1'));
  }
  const write = (_, number) => writer.accepted('task:create', { projectId: 'p1', title: `missed ${number}` });
  await Promise.all(Array.from({ length: MISSED }, write));
  // Each comes back on the instance on which it was not before.
  for (const { proxy } of members) proxy.target = proxy.target === first ? second : first;
  await Promise.all([first, second].map((server) => server.start()));

  await Promise.all(members.map(({ client }) => client.connected(2)));
  await writer.accepted('task:create', { projectId: 'p1', title: 'after' });
  const log = await writer.log('p1');
  assert.equal(log.length, MISSED + 2);
  for (const { client, label } of members) {
    await assertSaw(client, log, label);
    assert.deepEqual(client.recoveries, [true], label);
  }
});
