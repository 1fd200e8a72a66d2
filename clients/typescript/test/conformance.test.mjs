// Cut 50 times, the server killed among them: clients hear every event once and in order, and what they send has one
// effect. `IT_SEED` repeats the moments of a run.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { seeded } from '../../../tests/clients/random.mjs';
import { connect } from '../dist/esm/index.js';
import { eventually, open, Proxy, publish, Server, SOON } from './support.mjs';

const CUTS = 50;
const KILLS = 3;
const PAUSE_MS = 40;
const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** Publishes 1, 2, 3… on channels in turn until it is stopped, each number once, whatever becomes of the server. */
function stream(server, channels) {
  let isStopped = false;
  const counts = Object.fromEntries(channels.map((name) => [name, 0]));
  const once = async (channel, number) => {
    const key = randomUUID();
    const published = () => publish(server, channel, 'step', { channel, number }, { 'Idempotency-Key': key }).catch(() => null);
    await eventually(published, `${number} is published on ${channel}`);
    counts[channel] = number;
  };
  const done = Promise.all(
    channels.map(async (channel) => {
      for (let number = 1; !isStopped; number += 1) await once(channel, number);
    }),
  );
  return { stop: async () => ((isStopped = true), await done, counts) };
}

/** Cuts a client's connections one after the other, and kills the server in between. */
async function cutAll(random, proxy, server, isConnected) {
  for (let cut = 1; cut <= CUTS; cut += 1) {
    // Now while it is there, now while it is on its way back.
    if (random.fraction() < 0.7) await eventually(isConnected, 'the client is back');
    await delay(random.fraction() * PAUSE_MS);
    if (cut % Math.floor(CUTS / KILLS) === 0) {
      await server.stop('SIGKILL');
      await server.start();
    }
    await eventually(() => proxy.cut(), 'a connection to cut');
  }
}

/** What a command did, in its order. */
async function created({ url }) {
  const log = await (await fetch(`${url}/api/channels/project:p/events?since=0&limit=500`)).json();
  return log.events.map(({ data }) => data.title);
}

/** Sends so many commands, each when the one before was answered. A second time each would make another task. */
async function command(send) {
  const titles = numbers(CUTS).map((number) => `t${number}`);
  for (const title of titles) assert.equal((await send('task:create', { projectId: 'p', title })).ok, true);
  return titles;
}

for (const path of ['/ws', '/ws/v1']) {
  test(`${path}: cut ${CUTS} times, every event comes once and in order, and every command has one effect`, (t) =>
    seeded(t, async (random) => {
      const server = await Server.start(t);
      const proxy = await Proxy.start(t, server);
      const { socket, of } = open(t, proxy, `${path}?sessionId=s`, { userId: 'ann' });
      const resets = [];
      let connections = 0;
      socket.onReset((reset) => resets.push(reset));
      socket.onState(({ state }) => (connections += state === 'open' ? 1 : 0));
      await socket.connect();
      await socket.subscribe(['news', 'jobs']);
      await socket.subscribe({ channel: 'agent:*', types: ['step'] });
      const channels = ['news', 'jobs', 'agent:a', 'session:s', 'user:ann'];
      const published = stream(server, channels);
      const sent = command((type, data) => socket.send(type, data));
      await cutAll(random, proxy, server, () => socket.isConnected);
      const counts = await published.stop();
      const titles = await sent;

      const place = (message) => message.channel ?? message.metadata.channel;
      const heard = (channel) => of('step').filter((message) => place(message) === channel).map(({ data }) => data.number);
      for (const channel of channels) {
        assert.ok(counts[channel] > 5, 'something was published');
        await eventually(() => heard(channel).length >= counts[channel], () => `${counts[channel]} on ${channel}: ${heard(channel)}`);
        assert.deepEqual(heard(channel), numbers(counts[channel]), channel);
      }
      assert.deepEqual(resets, []);
      assert.ok(connections > CUTS / 4, `${connections} connections`);
      assert.deepEqual(await created(server), titles);
    }));
}

for (const transports of [['websocket'], ['polling', 'websocket']]) {
  test(`${transports}: cut ${CUTS} times, every event comes once and in order, and every command has one effect`, (t) =>
    seeded(t, async (random) => {
      // A client that is cut while it leaves polling for a WebSocket is told by pings alone.
      const server = await Server.start(t, { PING_INTERVAL: '300ms', PING_TIMEOUT: '600ms' });
      const proxy = await Proxy.start(t, server);
      const client = connect(proxy.url, { reconnect: SOON, connectTimeoutMs: 500, io: { transports }, userId: 'ann' });
      t.after(() => client.close());
      const heard = { channels: [], events: [], tasks: [] };
      const resets = [];
      let connections = 0;
      client.on('event', ({ channel, data }) => heard.events.push(`${channel} ${data.number}`));
      client.on('step', ({ channel, number }) => heard.channels.push(`${channel} ${number}`));
      client.on('task:created', ({ title }) => heard.tasks.push(title));
      client.onReset((reset) => resets.push(reset));
      client.onState(({ state }) => (connections += state === 'open' ? 1 : 0));
      await client.join('p');
      const channels = ['news', 'jobs', 'session:s'];
      await client.subscribe(channels);
      const published = stream(server, channels);
      const sent = command((type, data) => client.emit(type, data));
      await cutAll(random, proxy, server, () => client.isConnected);
      const counts = await published.stop();
      const titles = await sent;

      const of = (list, channel) => list.filter((each) => each.startsWith(`${channel} `)).map((each) => Number(each.split(' ')[1]));
      for (const channel of channels) {
        assert.ok(counts[channel] > 5, 'something was published');
        for (const [name, list] of Object.entries({ event: heard.events, step: heard.channels })) {
          await eventually(() => of(list, channel).length >= counts[channel], () => `${counts[channel]} ${name} on ${channel}: ${of(list, channel)}`);
          assert.deepEqual(of(list, channel), numbers(counts[channel]), channel);
        }
      }
      assert.deepEqual(resets, []);
      assert.ok(connections > CUTS / 4, `${connections} connections`);
      await eventually(() => heard.tasks.length >= titles.length, 'every task is heard');
      assert.deepEqual(heard.tasks, titles);
      assert.deepEqual(await created(server), titles);
    }));
}
