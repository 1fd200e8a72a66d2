// Signals with real clients of every version: who hears them, and that they leave no cursor behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';
import { Postgres, Redis } from './services.mjs';
import { eventually } from './wait.mjs';

const named = (client, name) => client.events.filter((event) => event.name === name);

for (const variant of MATRIX) {
  test(`${variant.label}: everyone else in the room is told who types what`, async (t) => {
    const server = await Server.start(t);
    const as = (userId) => Client.connect(server, variant, { query: { userId }, auth: { userId } });
    const [ada, tab, bob, outsider] = [await as('ada'), await as('ada'), await as('bob'), await as('eve')];
    for (const client of [ada, tab, bob]) await client.join('p1');

    ada.emit('task:editing:start', { projectId: 'p1', taskId: 't1', field: 'title', userId: 'eve' });
    await ada.accepted('user:typing', { projectId: 'p1', taskId: 't1', isTyping: true });
    for (const client of [tab, bob]) {
      const [editing, typing] = await client.heard(2);
      const { connectionId } = editing.payload;
      assert.equal(typeof connectionId, 'string');
      assert.notEqual(connectionId, ada.socket.id, 'whoever knows the session id can post into the session');
      const told = { projectId: 'p1', taskId: 't1', userId: 'ada', connectionId };
      assert.deepEqual(editing, { name: 'task:editing', payload: { ...told, field: 'title', isEditing: true }, rest: [] });
      assert.deepEqual(typing, { name: 'typing', payload: { ...told, isTyping: true }, rest: [] });
    }
    assert.deepEqual(await ada.settled(), [], 'who says it does not hear it');
    assert.deepEqual(await outsider.settled(), [], 'who did not join does not hear it');
  });
}

test('who types fast is heard now and then, and always to the last word', async (t) => {
  const server = await Server.start(t);
  const [ada, bob] = [await Client.connect(server, LATEST), await Client.connect(server, LATEST)];
  await Promise.all([ada.join('p1'), bob.join('p1')]);
  for (let letter = 0; letter < 30; letter += 1) ada.emit('typing', { projectId: 'p1', letter });
  ada.emit('stop typing', { projectId: 'p1' });
  await eventually(() => named(bob, 'typing').at(-1)?.payload.isTyping === false, 'the last word');
  const letters = named(bob, 'typing').map(({ payload }) => payload.letter);
  assert.equal(letters[0], 0, 'the first passes at once');
  assert.ok(letters.length < 10, `heard ${letters}`);
});

test('who has not joined is refused', async (t) => {
  const server = await Server.start(t);
  const eve = await Client.connect(server, LATEST);
  const { ok, code, field } = await eve.call('typing', { projectId: 'p1' });
  assert.deepEqual({ ok, code, field }, { ok: false, code: 'validation_failed', field: 'projectId' });
});

test('on another instance it is heard as on one\'s own', async (t) => {
  const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
  const env = { DATABASE_URL: await postgres.database(), REDIS_URL: redis.url };
  const [a, b] = await Promise.all([Server.start(t, env), Server.start(t, env)]);
  const [ada, near, far] = await Promise.all([a, a, b].map((server) => Client.connect(server, LATEST)));
  for (const client of [ada, near, far]) await client.join('p1');
  await eventually(async () => {
    // Nothing is lost on purpose, but the way between the instances may just be opening.
    ada.emit('typing', { projectId: 'p1', isTyping: true });
    return named(far, 'typing').length > 0;
  }, 'a signal from the other instance');
  await ada.accepted('task:editing', { projectId: 'p1', taskId: 't1' });
  await eventually(() => named(far, 'task:editing').length > 0, 'the other instance hears it');
  const [[heardNear], [heardFar]] = [near, far].map((client) => named(client, 'task:editing'));
  assert.deepEqual(heardFar, heardNear);
  await far.settled();
  assert.equal(named(far, 'task:editing').length, 1, 'once');
});
