// What cannot be recovered: the client is told so once, gets what it needs to go on, and goes on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST } from './clients.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';

const LIMIT = 5;

async function start(t, options) {
  const server = await Server.start(t, { REPLAY_LIMIT: String(LIMIT) });
  const proxy = await Proxy.start(t, server);
  const client = await Client.connect(proxy, LATEST, options);
  const writer = await Client.connect(server, LATEST);
  return { server, proxy, client, writer };
}

async function write(writer, projectId, ...titles) {
  for (const title of titles) await writer.accepted('task:create', { projectId, title });
}

const essence = ({ name, payload }) => [name, payload.projectId, payload.title];
const numbered = (count) => Array.from({ length: count }, (_, at) => `missed ${at + 1}`);

function checkReset({ name, payload }, projectId, titles) {
  assert.equal(name, 'project:reset');
  const { reset, room, seq, cursor, reason, snapshot } = payload;
  assert.deepEqual(
    { reset, projectId: payload.projectId, room, seq },
    { reset: true, projectId, room: `project:${projectId}`, seq: titles.length },
  );
  assert.deepEqual([typeof reason, typeof cursor], ['string', 'string']);
  assert.deepEqual(snapshot.tasks.map(({ title }) => title), titles);
}

function checkSessionReset({ name, payload, rest }) {
  assert.equal(name, 'session:reset');
  assert.deepEqual([payload.reset, typeof payload.reason], [true, 'string']);
  assert.deepEqual(rest.map((each) => typeof each), ['string'], 'a cursor to go on from');
}

/** Checks that all is well again with a client in `p1`: it hears what comes, and is recovered when it was away. */
async function checkGoesOn(scene) {
  const { proxy, client, writer } = scene;
  client.events = [];
  client.recoveries = [];
  const { connects } = client;
  await write(writer, 'p1', 'live');
  await client.heard(1);
  await proxy.away(client, () => write(writer, 'p1', 'missed'));
  await client.heard(2);
  await write(writer, 'p1', 'live again');
  assert.deepEqual((await client.settled()).map(essence), [
    ['task:created', 'p1', 'live'],
    ['task:created', 'p1', 'missed'],
    ['task:created', 'p1', 'live again'],
  ]);
  assert.deepEqual(client.recoveries, [true]);
  assert.equal(client.connects, connects + 1, 'no loop');
}

test('who missed as much as the limit gets it all', async (t) => {
  const { proxy, client, writer } = await start(t);
  await client.join('p1');
  await proxy.away(client, () => write(writer, 'p1', ...numbered(LIMIT)));
  await client.heard(LIMIT);
  assert.deepEqual((await client.settled()).map(({ payload }) => payload.title), numbered(LIMIT));
  assert.deepEqual(client.recoveries, [true]);
});

test('who missed more than the limit gets the state; in other rooms, the events', async (t) => {
  const scene = await start(t);
  const { proxy, client, writer } = scene;
  for (const room of ['p1', 'p2']) {
    await client.join(room);
    await write(writer, room, 'before');
  }
  await client.heard(2);
  client.events = [];
  await proxy.away(client, async () => {
    await write(writer, 'p2', 'missed in p2');
    await write(writer, 'p1', ...numbered(LIMIT + 1));
  });
  const events = await client.heard(2);
  assert.deepEqual(client.recoveries, [false], 'it is told that it is another session');
  const inOrder = [...events].sort((a, b) => a.payload.projectId.localeCompare(b.payload.projectId));
  checkReset(inOrder[0], 'p1', ['before', ...numbered(LIMIT + 1)]);
  assert.deepEqual(essence(inOrder[1]), ['task:created', 'p2', 'missed in p2']);
  assert.equal((await client.settled()).length, 2);
  await checkGoesOn(scene);
});

test('who missed more than the limit in several rooms gets the state of each', async (t) => {
  const scene = await start(t);
  const { proxy, client, writer } = scene;
  const rooms = ['p1', 'p2', 'p3'];
  for (const room of rooms) await client.join(room);
  await proxy.away(client, async () => {
    for (const room of rooms) await write(writer, room, ...numbered(LIMIT + 1));
  });
  const resets = await client.heard(3);
  for (const [at, room] of rooms.entries()) checkReset(resets[at], room, numbered(LIMIT + 1));
  // A cursor before the last would let who is cut off in between miss the others.
  assert.deepEqual(resets.map(({ rest }) => rest.map((each) => typeof each)), [[], [], ['string']]);
  assert.deepEqual(client.recoveries, [false]);
  await checkGoesOn(scene);
  await proxy.away(client, async () => {
    for (const room of rooms) await write(writer, room, 'missed');
  });
  const missed = (await client.settled()).slice(-3).map(({ payload }) => [payload.projectId, payload.title]);
  assert.deepEqual(missed.sort(), rooms.map((room) => [room, 'missed']));
});

test('a cursor that is ahead of the log', async (t) => {
  const scene = await start(t);
  const { proxy, client, writer } = scene;
  await client.join('p1');
  await write(writer, 'p1', 'before');
  const [{ rest }] = await client.heard(1);
  client.events = [];
  client.socket._lastOffset = rest[0].replace(/:\d+$/, ':4711');
  await proxy.away(client);
  checkReset((await client.heard(1))[0], 'p1', ['before']);
  assert.deepEqual(client.recoveries, [false]);
  await checkGoesOn(scene);
});

test('a cursor of another database', async (t) => {
  const scene = await start(t);
  const { server, client, writer } = scene;
  await client.join('p1');
  await write(writer, 'p1', 'before');
  await client.heard(1);
  client.events = [];
  await server.stop('SIGKILL');
  await server.forget();
  await server.start();
  await client.connected(2);
  checkSessionReset((await client.heard(1))[0]);
  assert.deepEqual(client.recoveries, [false]);
  await writer.connected(2);
  await write(writer, 'p1', 'another');
  assert.equal((await client.settled()).length, 1, 'it is in no room');
  await client.join('p1');
  await checkGoesOn(scene);
});

const GARBAGE = {
  'a word': () => 'garbage',
  'a part of a cursor': (cursor) => cursor.slice(0, -1),
  'a channel that is not there': (cursor) => cursor.replace(/\.[^:]+:/, '.4711:'),
  'two cursors': (cursor) => `${cursor},${cursor}`,
  'a long text': () => 'x'.repeat(100_000),
  'strange characters': () => '\u0000%00\'"é',
};
for (const [what, spoil] of Object.entries(GARBAGE)) {
  test(`${what} in place of the cursor, in the session and at the handshake`, async (t) => {
    const scene = await start(t);
    const { proxy, server, client, writer } = scene;
    const { cursor } = await client.join('p1');
    client.socket._lastOffset = spoil(cursor);
    await proxy.away(client);
    checkSessionReset((await client.heard(1))[0]);
    assert.deepEqual(client.recoveries, [false]);
    // It has a valid offset now, and is in no room.
    await proxy.away(client, () => write(writer, 'p1', 'not heard'));
    assert.equal((await client.settled()).length, 1);
    assert.deepEqual(client.recoveries, [false, true]);
    await client.join('p1');
    await checkGoesOn(scene);

    const page = await Client.connect(server, LATEST, { auth: { cursor: spoil(cursor) } });
    checkSessionReset((await page.heard(1))[0]);
    await page.join('p1');
    await write(writer, 'p1', 'heard');
    assert.deepEqual((await page.settled()).slice(1).map(essence), [['task:created', 'p1', 'heard']]);
    // What it was given counts from now on, and not what its page still says.
    page.events = [];
    page.socket.io.engine.close();
    await page.connected(2);
    await write(writer, 'p1', 'heard as well');
    assert.deepEqual((await page.settled()).map(essence), [['task:created', 'p1', 'heard as well']]);
    assert.deepEqual(page.recoveries, [true]);
  });
}

test('what is no text is no cursor', async (t) => {
  const { server, writer } = await start(t);
  for (const cursor of [4711, null, true, {}, ['x'], '']) {
    const page = await Client.connect(server, LATEST, { auth: { cursor } });
    await page.join('p1');
    await write(writer, 'p1', 'heard');
    assert.deepEqual((await page.settled()).map(essence), [['task:created', 'p1', 'heard']]);
  }
});

test('what is no private id is not taken for one', async (t) => {
  const { server, client, writer } = await start(t);
  const { cursor } = await client.join('p1');
  const { _pid: real } = client.socket;
  const [secret] = real.split('-');
  for (const pid of ['short', secret, secret.toUpperCase(), `${real}0`.repeat(20), 4711, null, {}]) {
    const other = await Client.connect(server, LATEST, { auth: { pid, offset: cursor } });
    assert.equal(typeof other.socket._pid, 'string');
    assert.ok(!other.socket._pid.startsWith(secret));
  }
  await write(writer, 'p1', 'heard');
  assert.deepEqual((await client.settled()).map(essence), [['task:created', 'p1', 'heard']]);
  assert.equal(client.connects, 1, 'nobody has taken its place');
});

// As `name.slice(0, 10)` makes it of a name with an emoji.
test('half a character in auth hides no cursor', async (t) => {
  const { server, client, writer } = await start(t, { auth: { name: 'Ada \ud83d' } });
  const { cursor } = await client.join('p1');
  await write(writer, 'p1', 'seen');
  await client.heard(1);
  const page = await Client.connect(server, LATEST, { auth: { cursor, name: 'Ada \ud83d' } });
  assert.deepEqual((await page.heard(1)).map(essence), [['task:created', 'p1', 'seen']]);
  client.socket.io.engine.close();
  await client.connected(2);
  assert.deepEqual(client.recoveries, [true]);
});
