// Connection state recovery, for official clients as they come: they join once, have no code for reconnects, and miss
// nothing. `stream.mjs` tells how to run the test of random cuts for longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST, MATRIX, variant } from './clients.mjs';
import { Proxy } from './proxy.mjs';
import { seeded } from './random.mjs';
import { Server } from './server.mjs';
import { assertRecovered, assertSaw, CUTS, cutAtRandom, IMPATIENT, OFTEN_PINGED, RECOVERING, SECONDS, Stream } from './stream.mjs';
import { eventually } from './wait.mjs';

const OLD = MATRIX.filter(({ label }) => !RECOVERING.some((each) => each.label === label));
const ROUNDS = 10;

/** A server, a client that reaches it through a proxy of its own, and a client that writes and is never cut. */
async function start(t, which = LATEST, options = {}) {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const client = await Client.connect(proxy, which, options);
  const writer = await Client.connect(server, LATEST);
  const write = (projectId, title) => writer.accepted('task:create', { projectId, title });
  return { server, proxy, client, writer, write };
}

const titles = ({ events }) => events.map(({ payload }) => payload.title);

test(`cut ${CUTS} times in ${SECONDS} s, clients see every event once, in order`, (t) =>
  seeded(t, async (random) => {
    const server = await Server.start(t, OFTEN_PINGED);
    const join = async (which) => {
      const proxy = await Proxy.start(t, server);
      const client = await Client.connect(proxy, which, IMPATIENT);
      await client.join('p1');
      return { proxy, client, label: which.label };
    };
    const members = await Promise.all([...RECOVERING, LATEST].map(join));
    // Most frontends join in their `connect` handler, each time. That repeats nothing and leaves nothing out.
    const { socket } = members.at(-1).client;
    socket.on('connect', () => socket.emit('join:project', 'p1'));
    const writer = await Client.connect(server, LATEST);
    const stream = new Stream(writer, 'p1');
    await Promise.all(members.map((member) => cutAtRandom(member, random.fork())));
    await stream.stop();

    const log = await writer.log('p1');
    for (const { client, label } of members) {
      await assertSaw(client, log, label);
      assertRecovered(client, CUTS / 4, label);
    }
  }));

for (const which of RECOVERING) {
  test(`${which.label}: a session is recovered again and again`, async (t) => {
    const { proxy, client, write } = await start(t, which);
    await client.join('p1');
    const { id, io } = client.socket;
    for (let round = 1; round <= ROUNDS; round += 1) {
      // Now the network breaks, and now the client itself closes.
      if (round % 2) await proxy.away(client, () => write('p1', `round ${round}`));
      else {
        // A client that closes while it changes its transport keeps an event that it gets in that moment, and hears it again
        // from the recovery, for it has not moved on: it would do so with Node's server as well.
        await eventually(() => io.engine.transport.name === which.endsOn && !io.engine.upgrading, 'the transport is the last one');
        await Promise.all([io.engine.close(), write('p1', `round ${round}`)]);
      }
      await client.heard(round);
      await client.connected(round + 1);
    }
    assert.deepEqual(titles(client), Array.from({ length: ROUNDS }, (_, at) => `round ${at + 1}`));
    assertRecovered(client, ROUNDS);
    assert.notEqual(client.socket.id, id, 'each connection has a session id of its own');
  });

  test(`${which.label}: a session that never heard an event is recovered`, async (t) => {
    const { proxy, client, write } = await start(t, which);
    await client.join('empty');
    await proxy.away(client);
    await proxy.away(client, () => write('empty', 'first'));
    await client.heard(1);
    assert.deepEqual(titles(client), ['first']);
    assertRecovered(client, 2);
  });
}

test('a session is recovered with its own spelling of events', async (t) => {
  const { proxy, client, write } = await start(t, LATEST, { auth: { eventStyle: 'camel' } });
  await client.join('p1');
  await proxy.away(client, () => write('p1', 'missed'));
  assert.deepEqual((await client.heard(1)).map(({ name }) => name), ['taskCreated']);
  assert.equal(client.cursors.length, 1, 'sessionCursor');
  assertRecovered(client, 1);
});

test('a session in ten rooms gets what it missed in each', async (t) => {
  const { proxy, client, write } = await start(t);
  const rooms = Array.from({ length: 10 }, (_, at) => `p${at}`);
  const heard = (room) => titles({ events: client.events.filter(({ payload }) => payload.projectId === room) });
  for (const room of rooms) await client.join(room);
  // Half of the rooms have been heard of.
  for (const room of rooms.slice(5)) await write(room, 'before');
  await client.heard(5);
  await proxy.away(client, async () => {
    for (const title of ['missed 1', 'missed 2']) for (const room of rooms) await write(room, title);
  });
  for (const room of rooms) await write(room, 'after');
  await client.heard(35);
  await client.settled();
  for (const [at, room] of rooms.entries()) {
    assert.deepEqual(heard(room), [...(at < 5 ? [] : ['before']), 'missed 1', 'missed 2', 'after'], room);
  }
  assertRecovered(client, 1);
});

test('who left a room is not put back into it', async (t) => {
  const { proxy, client, write } = await start(t);
  for (const room of ['stayed', 'left']) {
    await client.join(room);
    await write(room, 'before');
  }
  await client.heard(2);
  await client.accepted('leave:project', 'left');
  await proxy.away(client, async () => {
    for (const room of ['left', 'stayed']) await write(room, `missed in ${room}`);
  });
  for (const room of ['left', 'stayed']) await write(room, `after in ${room}`);
  await client.settled();
  assert.deepEqual(titles(client), ['before', 'before', 'missed in stayed', 'after in stayed']);
  assertRecovered(client, 1);
});

test('who is in no room any more is recovered into none', async (t) => {
  const { proxy, client, write } = await start(t);
  await client.join('left');
  await client.accepted('leave:project', 'left');
  await proxy.away(client, () => write('left', 'missed'));
  await write('left', 'after');
  assert.deepEqual(await client.settled(), []);
  assertRecovered(client, 1);
});

test('a recovered session is in its rooms: it is present, tells signals and hears them', async (t) => {
  const { proxy, client, writer } = await start(t, LATEST, { auth: { userId: 'ada' } });
  await client.join('p1');
  await writer.join('p1');
  await proxy.away(client);
  await client.accepted('typing', { projectId: 'p1', isTyping: true });
  assert.deepEqual((await writer.heard(1)).map(({ name, payload }) => [name, payload.userId]), [['typing', 'ada']]);
  await writer.accepted('typing', { projectId: 'p1', isTyping: false });
  assert.deepEqual((await client.heard(1)).map(({ name, rest }) => [name, rest]), [['typing', []]]);
  const { presence } = await writer.join('p1');
  assert.deepEqual(presence.map(({ userId }) => userId).filter((user) => user === 'ada'), ['ada']);
  assertRecovered(client, 1);
});

for (const label of ['3.1 websocket', '4.0 polling', '4.6 upgrade', '4.8 websocket']) {
  test(`${label}: a page that kept a cursor goes on from there`, async (t) => {
    const server = await Server.start(t);
    const writer = await Client.connect(server, LATEST);
    const { cursor } = await writer.join('p1');
    const missed = ['one', 'two', 'three'];
    for (const title of missed) await writer.accepted('task:create', { projectId: 'p1', title });
    const [one] = await writer.heard(3);
    const open = async (auth, expected) => {
      const page = await Client.connect(server, variant(label), { auth });
      assert.ok(!page.socket.recovered, 'it is another session');
      return { page, expected };
    };
    const pages = await Promise.all(
      ['cursor', 'serverOffset', 'offset'].flatMap((key) => [
        open({ [key]: cursor }, [...missed, 'live']),
        open({ [key]: one.rest[0] }, [...missed.slice(1), 'live']),
      ]),
    );
    await Promise.all(pages.map(({ page, expected }) => page.heard(expected.length - 1)));
    await writer.accepted('task:create', { projectId: 'p1', title: 'live' });
    for (const { page, expected } of pages) {
      await page.heard(expected.length);
      assert.deepEqual(titles({ events: await page.settled() }), expected);
    }
  });
}

for (const which of OLD) {
  test(`${which.label}: a client that knows nothing of recovery is as it was`, async (t) => {
    const { proxy, client, write } = await start(t, which);
    await client.join('p1');
    await write('p1', 'heard');
    await client.heard(1);
    await proxy.away(client, () => write('p1', 'missed'));
    await write('p1', 'in no room');
    await client.join('p1');
    await write('p1', 'joined again');
    assert.deepEqual(titles({ events: await client.settled() }), ['heard', 'joined again']);
    for (const { rest } of client.events) assert.deepEqual(rest.map((each) => typeof each), ['string']);
    assert.ok(!client.socket.recovered);
    const tells = client.cursors.length > 0;
    assert.equal(tells, !which.label.startsWith('2.'), 'version 2 is told no cursor: it could not use it');
  });
}
