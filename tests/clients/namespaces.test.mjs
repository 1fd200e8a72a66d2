// Frontends with several namespaces, `io('/board')` and `io('/notifications')`, which share one transport, and with a path of
// their own. Which of them there are is said by dialects, in files that a test writes.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import parser from 'socket.io-msgpack-parser';
import { Client, essence, LATEST, MATRIX, variant } from './clients.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';
import { assertRecovered, assertSaw, IMPATIENT, OFTEN_PINGED, persist, RECOVERING } from './stream.mjs';
import { REQUIRED, tokenOf } from './tokens.mjs';
import { eventually } from './wait.mjs';

const ACME = { acme: '[match]\nnamespaces = ["/board", "/notifications"]\npaths = ["/socket"]\n' };
const NAMESPACES = ['/', '/board', '/notifications'];
const BURST = 300;

/** A server that speaks `dialects`, `{name: TOML}`. */
async function start(t, { dialects = ACME, env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'boardcast-dialects-'));
  t.after(() => rm(folder, { recursive: true }));
  const files = await Promise.all(
    Object.entries(dialects).map(async ([name, text]) => {
      const file = join(folder, `${name}.toml`);
      await writeFile(file, text);
      return file;
    }),
  );
  return Server.start(t, { DIALECTS: files.join(), ...env });
}

/** Enters `namespace` at `target`, over the transport of those that entered before. */
const enter = (target, which, namespace, options = {}) =>
  Client.connect({ url: target.url + namespace, attach: (socket) => target.attach(socket) }, which, { forceNew: false, ...options });

/** Enters every namespace over one transport, and joins a project in each: `p/`, `p/board`, `p/notifications`. */
async function enterAll(target, which, options = {}) {
  const all = [];
  for (const namespace of NAMESPACES) all.push(await enter(target, which, namespace, options));
  for (const { socket } of all) assert.equal(socket.io, all[0].socket.io, 'one transport');
  await Promise.all(all.map((client, at) => client.join(`p${NAMESPACES[at]}`)));
  return all;
}

const titles = ({ events }) => events.map(({ payload }) => payload.title);
const create = (writer, namespace, title) => writer.accepted('task:create', { projectId: `p${namespace}`, title });

for (const which of MATRIX) {
  test(`${which.label}: namespaces over one transport are connections of their own`, async (t) => {
    const server = await start(t);
    const all = await enterAll(server, which);
    const writer = await Client.connect(server, LATEST);
    for (let round = 0; round < 20; round += 1) for (const namespace of NAMESPACES) await create(writer, namespace, `${round} ${namespace}`);
    // What they send is answered where it was sent, also what cannot be read.
    const ids = await Promise.all(all.map(async (client, at) => (await create(client, NAMESPACES[at], 'own')).data.id));
    assert.equal(new Set(ids).size, 3);
    for (const [at, client] of all.entries()) {
      const refused = await client.call('task:explode', {});
      assert.equal(refused.code, 'unknown_event');
      const number = await client.call('task:create', { projectId: 7, title: 'x', file: Buffer.from('x') });
      assert.equal(number.code, 'validation_failed', 'an attachment is refused where it was sent');
      await client.heard(21);
      const expected = [...Array.from({ length: 20 }, (_, round) => `${round} ${NAMESPACES[at]}`), 'own'];
      assert.deepEqual(titles({ events: await client.settled() }), expected);
    }

    const [main, board, notifications] = all;
    const engine = main.socket.io.engine;
    await eventually(() => engine.transport.name === which.endsOn && !engine.upgrading, () => `the transport is ${which.endsOn}`);
    board.socket.disconnect();
    await create(writer, '/board', 'nobody hears');
    for (const namespace of ['/', '/notifications']) await create(writer, namespace, 'after');
    await main.heard(22);
    await notifications.heard(22);
    board.socket.connect();
    await board.connected(2);
    await board.join('p/board');
    await create(writer, '/board', 'again');
    await board.settled();
    assert.deepEqual(titles(board).slice(-1), ['again']);
    assert.equal(main.socket.io.engine, engine, 'the transport is the same');
    assert.deepEqual([main.disconnects, notifications.disconnects], [[], []]);
  });

  test(`${which.label}: a path of a dialect's is that of Engine.IO`, async (t) => {
    const server = await start(t);
    for (const path of ['/socket', '/socket/']) {
      const client = await Client.connect(server, which, { path });
      const writer = await Client.connect(server, LATEST);
      await client.join('p1');
      await writer.accepted('task:create', { projectId: 'p1', title: path });
      await client.heard(1);
      await eventually(() => client.transport === which.endsOn, () => `the transport is ${which.endsOn}`);
      client.socket.close();
    }
  });
}

test('what is refused at a path of a dialect is refused as at /socket.io', async (t) => {
  const server = await start(t, { env: { CORS_ORIGINS: 'https://board.example.org' } });
  const asked = async (path, init = {}) => {
    const answer = await fetch(server.url + path, init);
    const headers = ['content-type', 'access-control-allow-origin', 'vary'].map((name) => answer.headers.get(name));
    return { status: answer.status, headers, body: await answer.text() };
  };
  const origin = { headers: { origin: 'https://board.example.org' } };
  for (const [rest, init] of [
    ['/?EIO=4&transport=x'],
    ['/?EIO=9&transport=polling'],
    ['/?EIO=4&transport=polling&sid=gone'],
    ['?EIO=4&transport=polling', { method: 'POST', body: '1' }],
    ['/?EIO=4&transport=websocket'],
    ['/?EIO=4&transport=polling', { headers: { origin: 'https://elsewhere.example.org' } }],
    ['/?EIO=4&transport=x', origin],
    ['/?EIO=4&transport=polling', { method: 'OPTIONS', headers: { ...origin.headers, 'access-control-request-method': 'POST' } }],
    ['/socket.io.js'],
  ]) {
    const [here, there] = [await asked(`/socket${rest}`, init), await asked(`/socket.io${rest}`, init)];
    assert.deepEqual(here, there, rest);
  }
});

for (const which of RECOVERING) {
  test(`${which.label}: each namespace recovers by itself`, async (t) => {
    const server = await start(t, { env: OFTEN_PINGED });
    const proxy = await Proxy.start(t, server);
    const all = await enterAll(proxy, which, IMPATIENT);
    const writer = await Client.connect(server, LATEST);
    const rounds = [1, 2, 3];
    for (const round of rounds) {
      await create(writer, '/', `before ${round}`);
      await proxy.away(all[0], async () => {
        // Not all of them missed something.
        if (round !== 2) await create(writer, '/board', `missed ${round}`);
        await create(writer, '/notifications', `missed ${round}`);
      });
      await Promise.all(all.map((client) => client.connected(round + 1)));
      await create(writer, '/board', `after ${round}`);
    }
    for (const client of all) await client.settled();
    assert.deepEqual(titles(all[0]), ['before 1', 'before 2', 'before 3']);
    assert.deepEqual(titles(all[1]), ['missed 1', 'after 1', 'after 2', 'missed 3', 'after 3']);
    assert.deepEqual(titles(all[2]), ['missed 1', 'missed 2', 'missed 3']);
    for (const client of all) assertRecovered(client, 3);
  });

  test(`${which.label}: nothing is lost or doubled in any namespace when the server is killed`, async (t) => {
    const server = await start(t, { env: OFTEN_PINGED });
    const all = await enterAll(server, which, IMPATIENT);
    const writer = await Client.connect(server, LATEST);
    for (let number = 0; number < 45; number += 1) {
      const namespace = NAMESPACES[number % 3];
      const written = persist(writer, 'task:create', { projectId: `p${namespace}`, title: `${number}` });
      if (number % 15 === 7) {
        await server.stop('SIGKILL');
        await server.start();
      }
      await written;
    }
    for (const [at, client] of all.entries()) {
      const log = await writer.log(`p${NAMESPACES[at]}`);
      assert.equal(log.length, 15);
      await assertSaw(client, log, NAMESPACES[at]);
    }
  });
}

for (const label of ['4.8 websocket', '4.8 polling']) {
  test(`${label}: a client that speaks MessagePack is in several namespaces`, async (t) => {
    const server = await start(t);
    const proxy = await Proxy.start(t, server);
    const all = await enterAll(proxy, variant(label), { parser });
    const writer = await Client.connect(server, LATEST);
    await proxy.away(all[0], () => create(writer, '/board', 'missed'));
    await Promise.all(all.map((client) => client.connected(2)));
    for (const namespace of NAMESPACES) await create(writer, namespace, 'after');
    for (const client of all) await client.settled();
    assert.deepEqual(all.map(titles), [['after'], ['missed', 'after'], ['after']]);
    for (const client of all) assertRecovered(client, 1);
  });
}

test('who reads slowly gets everything in every namespace, in order', async (t) => {
  const server = await start(t);
  const all = await enterAll(server, LATEST);
  const writer = await Client.connect(server, LATEST);
  const { ws } = all[0].socket.io.engine.transport;
  const large = 'x'.repeat(20_000);
  ws._socket.pause();
  const write = async (namespace, count) => {
    for (let number = 0; number < count; number += 1) {
      await writer.accepted('task:create', { projectId: `p${namespace}`, title: `${number}`, description: large });
    }
  };
  await Promise.all([write('/board', BURST), write('/', 10), write('/notifications', 20)]);
  ws._socket.resume();
  const expected = (count) => Array.from({ length: count }, (_, number) => `${number}`);
  for (const [at, count] of [10, BURST, 20].entries()) {
    await all[at].heard(count);
    assert.deepEqual(titles({ events: await all[at].settled() }), expected(count));
    assert.deepEqual(all[at].disconnects, []);
  }
});

test('a shutdown answers what was sent in every namespace', async (t) => {
  const server = await start(t, { env: { DRAIN_TIME: '1s' } });
  const all = await enterAll(server, LATEST);
  const asked = all.flatMap((client, at) => Array.from({ length: 50 }, (_, number) => create(client, NAMESPACES[at], `${number}`)));
  assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null });
  assert.equal((await Promise.all(asked)).length, 150);
  await server.start();
});

test('an operator ends one namespace, and the others go on', async (t) => {
  const server = await start(t, { env: { ADMIN_TOKEN: 'a token for operators' } });
  const auth = (namespace) => ({ auth: { userId: `user${namespace}` } });
  const [main, board] = [await enter(server, LATEST, '/', auth('/')), await enter(server, LATEST, '/board', auth('/board'))];
  await main.join('p1');
  const headers = { authorization: 'Bearer a token for operators', 'content-type': 'application/json' };
  const body = JSON.stringify({ room: 'user:user/board' });
  const ended = await fetch(`${server.url}/admin/disconnect`, { method: 'POST', headers, body });
  assert.equal(ended.status, 202, await ended.text());
  // What it still sends is not heard, and ends nothing.
  for (let sent = 0; sent < 20; sent += 1) board.socket.packet?.({ type: 2, data: ['task:create', { projectId: 'p1', title: 'late' }] });
  await eventually(() => board.disconnects.length > 0, 'it is told');
  assert.deepEqual(board.disconnects, ['io server disconnect']);
  await main.accepted('task:create', { projectId: 'p1', title: 'mine' });
  assert.deepEqual(titles({ events: await main.settled() }), ['mine']);
  assert.deepEqual([main.connects, main.disconnects], [1, []]);
  board.socket.connect();
  await board.connected(2);
  await board.join('p1');
  assert.equal(main.connects, 1);
});

test('with a token that has expired in one namespace, all of the transport comes back and nothing is lost', async (t) => {
  const server = await start(t, { env: { ...REQUIRED, AUTH_LEEWAY: '0s', AUTH_GRACE: '0s' } });
  const writer = await Client.connect(server, LATEST, { auth: { token: tokenOf('writer') } });
  const main = await enter(server, LATEST, '/', { auth: { token: tokenOf('ada') } });
  // It has another one by the time when the first has expired.
  const tokens = [tokenOf('ada', 2)];
  const board = await enter(server, LATEST, '/board', { auth: (done) => done({ token: tokens.shift() ?? tokenOf('ada') }) });
  await main.join('p1');
  await board.join('p2');
  let number = 0;
  while (board.connects < 2) {
    for (const projectId of ['p1', 'p2']) await writer.accepted('task:create', { projectId, title: `${number}` });
    number += 1;
  }
  for (const [client, project] of [[main, 'p1'], [board, 'p2']]) {
    await client.connected(2);
    await client.settled();
    client.events = client.events.filter(({ name }) => name !== 'auth:expiring');
    await assertSaw(client, await writer.log(project), project);
    assertRecovered(client, 1);
  }
});

test('a namespace or a dialect that there is not refuses the connection and leaves the others', async (t) => {
  const server = await start(t);
  const main = await enter(server, LATEST, '/');
  const refused = async (namespace, auth) => {
    const { io } = LATEST;
    const socket = io(server.url + namespace, { transports: LATEST.transports, auth });
    server.attach(socket);
    let message;
    socket.on('connect_error', (error) => (message = error.message));
    await eventually(() => message, 'connect_error');
    assert.equal(socket.io, main.socket.io);
    socket.close();
    return message;
  };
  assert.equal(await refused('/nowhere'), 'Invalid namespace');
  assert.equal(await refused('/board', { dialect: 'klingon' }), 'validation_failed: dialect "klingon" is not loaded; there are acme, default');
  await main.join('p1');
  assert.deepEqual([main.connects, main.disconnects], [1, []]);
});

const SEVERAL = {
  'by-namespace': '[match]\nnamespaces = ["/board"]\n',
  'by-path': '[match]\npaths = ["/socket"]\n',
  'by-origin': '[match]\norigins = ["https://board.example.org"]\n',
  other: 'about = "Without a match"\n',
};

for (const label of ['4.8 websocket', '4.8 polling', '3.1 websocket', '2.5 websocket', '2.5 polling']) {
  test(`${label}: a dialect is chosen by what the client says, its namespace, path and origin`, async (t) => {
    const server = await start(t, { dialects: SEVERAL, env: { LOG_LEVEL: 'info,boardcast=debug' } });
    const which = variant(label);
    const isOld = label.startsWith('2.');
    const extraHeaders = { origin: 'https://board.example.org' };
    const transportOptions = { polling: { extraHeaders }, websocket: { extraHeaders } };
    const there = { path: '/socket' };
    for (const [namespace, options, dialect] of [
      ['', {}, 'other'],
      ['/board', {}, 'by-namespace'],
      ['', there, 'by-path'],
      ['/board', there, 'by-namespace'],
      ['', { extraHeaders, transportOptions }, 'by-origin'],
      ['', { ...there, extraHeaders, transportOptions }, 'by-path'],
      ['/board', { query: { dialect: 'default' } }, 'default'],
      ...(isOld ? [] : [['', { ...there, query: { dialect: 'other' }, auth: { dialect: 'by-origin' } }, 'by-origin']]),
    ]) {
      const user = `user-${Math.random()}`;
      const said = isOld ? { query: { ...options.query, userId: user } } : { auth: { ...options.auth, userId: user } };
      const client = await Client.connect(
        { url: server.url + namespace, attach: (socket) => server.attach(socket) }, which, { ...options, ...said });
      const lines = () => server.log.split('\n').filter((line) => line.includes(user) && line.includes('"connected"'));
      const line = await eventually(() => lines().find((each) => each.includes(`"namespace":"${namespace || '/'}"`)), 'a line in the log');
      assert.ok(line.includes(`"dialect":"${dialect}"`), `${namespace} ${JSON.stringify(options)}: ${line}`);
      client.socket.close();
    }
  });
}

test('2.5: what a client says in the query of a namespace holds there alone', async (t) => {
  const server = await start(t, { env: REQUIRED });
  const which = variant('2.5 websocket');
  const main = await enter(server, which, '/', { query: { token: tokenOf('ada') } });
  const board = await enter(server, which, '/board', { query: { token: tokenOf('bob') } });
  assert.equal(board.socket.io, main.socket.io);
  await main.join('p1');
  await board.join('p1');
  await main.accepted('task:create', { projectId: 'p1', title: 'a' });
  await board.accepted('task:create', { projectId: 'p1', title: 'b' });
  await board.heard(2);
  const events = await main.settled();
  assert.deepEqual(events.map(({ payload }) => payload.createdBy), ['ada', 'bob']);
  assert.deepEqual(essence(events), essence(await board.settled()));
});
