// A client comes back while the server still waits for its old connection, which nobody has told that it is dead.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST } from './clients.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';
import { Postgres, Redis } from './services.mjs';
import { RECOVERING } from './stream.mjs';
import { eventually } from './wait.mjs';

const GRACE = '300ms';
const USERS = { 'a user': { userId: 'ada' }, 'somebody anonymous': undefined };

/** The client closes a connection that has died, and makes another one to `target`. */
async function comeBack(client, proxy, target) {
  // What the client has begun to write it would want to finish first.
  await eventually(() => client.socket.io.engine.writeBuffer.length === 0, 'all to be written');
  proxy.freeze();
  // The farewell, if it needs a connection of its own, has been swallowed by then.
  client.socket.io.once('reconnect_attempt', () => {
    proxy.target = target;
    proxy.open();
  });
  client.socket.io.engine.close();
  await client.connected(2);
}

const connections = async (server) => (await server.health()).connections;

/** Checks that `watcher` heard of nobody but eve, who comes and goes after all that could have been heard. */
async function assertNobodyCameOrWent(server, watcher) {
  const eve = await Client.connect(server, LATEST, { auth: { userId: 'eve' }, reconnection: false });
  await eve.join('p1');
  // Not a farewell: like the others she counts as there until the time of grace is over.
  eve.socket.io.engine.close();
  const left = ({ name, payload }) => name === 'presence:leave' && payload.userId === 'eve';
  await eventually(() => watcher.signals.some(left), 'eve to leave');
  const others = watcher.signals.filter(({ payload }) => payload.userId !== 'eve');
  assert.deepEqual(others.map(({ name, payload }) => [name, payload.userId]), []);
}

/** One client behind a proxy, and one that looks on; both are in the project, and known to be. */
async function start(t, [server, elsewhere], which, auth) {
  const proxy = await Proxy.start(t, server);
  const watcher = await Client.connect(elsewhere, LATEST, { auth: { userId: 'watcher', presence: true } });
  await watcher.join('p1');
  // A new connection that gets into a frozen one by keep-alive is given up and made again.
  const client = await Client.connect(proxy, which, { timeout: 1_000, ...(auth && { auth }) });
  await client.join('p1');
  await eventually(() => watcher.signals.length === 1, 'the client is there');
  await eventually(() => client.transport === which.endsOn, which.endsOn);
  watcher.signals = [];
  return { proxy, watcher, client };
}

async function present(client) {
  const { presence } = await client.join('p1');
  return presence.map(({ userId, connectionId }) => ({ userId, connectionId }));
}

for (const which of RECOVERING) {
  for (const [who, auth] of Object.entries(USERS)) {
    test(`${which.label}: ${who} comes back, and the old connection is closed`, async (t) => {
      const server = await Server.start(t, { PRESENCE_GRACE: GRACE });
      const { proxy, watcher, client } = await start(t, [server, server], which, auth);
      const before = await present(watcher);
      const { id } = client.socket;
      await comeBack(client, proxy, server);
      assert.notEqual(client.socket.id, id);
      assert.equal(client.socket.recovered, true);

      await eventually(async () => (await connections(server)) === 2, 'two connections');
      await assertNobodyCameOrWent(server, watcher);
      assert.deepEqual(await present(watcher), before, 'the same people as before');
      await watcher.accepted('task:create', { projectId: 'p1', title: 'heard once' });
      await client.heard(1);
      assert.deepEqual((await client.settled()).map(({ payload }) => payload.title), ['heard once']);
      assert.equal(client.connects, 2, 'the new connection stays');
    });
  }
}

for (const [who, auth] of Object.entries(USERS)) {
  test(`${who} comes back on another instance, and the old connection is closed`, async (t) => {
    const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
    const env = { DATABASE_URL: await postgres.database(), REDIS_URL: redis.url, PRESENCE_GRACE: GRACE };
    const [old, other] = await Promise.all([Server.start(t, env), Server.start(t, env)]);
    await eventually(async () => (await other.health()).cluster.instances === 2, 'the instances know each other');
    const { proxy, watcher, client } = await start(t, [old, other], LATEST, auth);
    const before = await present(watcher);
    await comeBack(client, proxy, other);
    assert.equal(client.socket.recovered, true);
    await eventually(async () => (await connections(old)) === 0, 'the old connection is closed');
    assert.equal(await connections(other), 2);
    await assertNobodyCameOrWent(other, watcher);
    assert.deepEqual((await present(watcher)).map(({ userId }) => userId), before.map(({ userId }) => userId));
    assert.equal(client.connects, 2, 'the new connection stays');
  });
}
