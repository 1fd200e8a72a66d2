// Answers: what was accepted, what was refused and why, and who is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';

function checkRefusal(reply, code) {
  const { ok, success, error, retryable } = reply;
  assert.deepEqual({ ok, success, code: reply.code, retryable }, { ok: false, success: false, code, retryable: false });
  // Frontends do `new Error(reply.error)`.
  assert.equal(typeof error, 'string');
  assert.notEqual(error, '');
}

for (const variant of MATRIX) {
  test(`${variant.label}: an accepted command is acked with its place and its result`, async (t) => {
    const client = await Client.connect(await Server.start(t), variant);
    const joined = await client.join('p1');
    assert.equal(joined.room, 'project:p1');
    const created = await client.call('task:create', { projectId: 'p1', title: 'Draft' });
    const { ok, success, seq, version } = created;
    assert.deepEqual({ ok, success, seq, version }, { ok: true, success: true, seq: 1, version: 1 });
    assert.match(created.data.id, /^[0-9a-f-]{36}$/);
    assert.equal(created.data.title, 'Draft');

    const updated = await client.call('task:update', { projectId: 'p1', taskId: created.data.id, title: 'Final' });
    assert.deepEqual([updated.ok, updated.seq, updated.version, updated.data.title], [true, 2, 2, 'Final']);

    const cursors = [joined, created, updated].map(({ cursor }) => cursor);
    assert.deepEqual(cursors.map((cursor) => typeof cursor), ['string', 'string', 'string']);
    assert.equal(new Set(cursors).size, 3, 'each change has its own cursor');
  });

  test(`${variant.label}: a refusal says what is wrong, to the sender alone`, async (t) => {
    const server = await Server.start(t);
    const [sender, mate] = await Promise.all([1, 2].map(() => Client.connect(server, variant)));
    await Promise.all([sender.join('p1'), mate.join('p1')]);

    const invalid = await sender.call('task:create', { projectId: '', title: 'Nowhere' });
    checkRefusal(invalid, 'validation_failed');
    assert.equal(invalid.field, 'projectId');
    checkRefusal(await sender.call('task:explode', { projectId: 'p1' }), 'unknown_event');
    assert.deepEqual(await sender.settled(), [], 'what is answered by ack is no event as well');

    sender.emit('task:create', { projectId: '', title: 'Nowhere' });
    sender.emit('task:explode', { projectId: 'p1' });
    const errors = await sender.heard(2);
    assert.deepEqual(errors.map(({ name }) => name), ['error', 'error']);
    assert.deepEqual(errors[0].payload, { ...invalid, event: 'task:create', message: invalid.error });
    checkRefusal(errors[1].payload, 'unknown_event');
    assert.equal(errors[1].payload.event, 'task:explode');
    assert.deepEqual(await mate.settled(), [], 'nobody else hears of it');
  });
}

for (const variant of MATRIX) {
  test(`${variant.label}: a binary event is refused, and the connection goes on`, async (t) => {
    const client = await Client.connect(await Server.start(t), variant);
    const binary = await client.call('task:create', { projectId: 'p1', title: Buffer.from('Draft') });
    checkRefusal(binary, 'validation_failed');
    await client.accepted('task:create', { projectId: 'p1', title: 'Draft' });
    assert.deepEqual(client.disconnects, []);
  });
}

for (const variant of MATRIX) {
  test(`${variant.label}: a number as the name of an event is refused, and the connection goes on`, async (t) => {
    const client = await Client.connect(await Server.start(t), variant);
    checkRefusal(await client.call(21, {}), 'unknown_event');
    await client.accepted('task:create', { projectId: 'p1', title: 'Draft' });
    assert.deepEqual(client.disconnects, []);
  });
}

test('a sync that cannot be served gives the state instead, and the cursor that belongs to it', async (t) => {
  const client = await Client.connect(await Server.start(t), LATEST);
  const { cursor } = await client.accepted('task:create', { projectId: 'p1', title: 'Draft' });
  const reply = await client.accepted('project:sync', { projectId: 'p1', since: 'junk' });
  assert.equal(reply.reset, true);
  assert.equal(typeof reply.reason, 'string');
  assert.deepEqual([reply.projectId, reply.seq, reply.cursor], ['p1', 1, cursor]);
  assert.deepEqual(reply.snapshot.tasks.map(({ title }) => title), ['Draft']);
});

test('a page on which nobody has logged in yet connects', async (t) => {
  const client = await Client.connect(await Server.start(t), LATEST, { auth: { userId: '' } });
  const { data } = await client.accepted('task:create', { projectId: 'p1', title: 'Draft' });
  assert.match(data.createdBy, /^anonymous:/);
});
