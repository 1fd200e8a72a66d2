// What a frontend written for a plain relay relies on, and what Boardcast adds to it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, essence, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';

const STAMPS = ['createdAt', 'createdBy', 'updatedAt', 'updatedBy'];
const NUMBERS = ['version', 'seq'];

// What is sent, and the events that must come of it; `adds` are the keys that the payload must have besides those sent.
const TASK = { adds: ['id', 'taskId', 'projectId', ...NUMBERS, ...STAMPS] };
const EPIC = { adds: ['id', 'epicId', 'projectId', ...NUMBERS, ...STAMPS] };
const SCRIPT = [
  {
    command: 'task:create',
    sent: { projectId: 'p1', id: 't1', title: 'Draft', status: 'todo', storyPoints: 5, labels: ['a'], tempId: 'tmp-1' },
    events: [{ name: 'task:created', ...TASK, has: { taskId: 't1', version: 1 } }],
  },
  {
    command: 'task:update',
    sent: { projectId: 'p1', taskId: 't1', updates: { title: 'Final' }, clientTag: 'c-7' },
    events: [{ name: 'task:updated', ...TASK, has: { id: 't1', title: 'Final', storyPoints: 5, version: 2 } }],
  },
  {
    command: 'task:update',
    sent: { projectId: 'p1', taskId: 't1', status: 'review' },
    events: [
      { name: 'task:updated', ...TASK, has: { status: 'review', title: 'Final' } },
      { name: 'task:status_changed', ...TASK, has: { oldStatus: 'todo', newStatus: 'review' } },
    ],
  },
  {
    command: 'task:status',
    sent: { projectId: 'p1', taskId: 't1', status: 'done' },
    events: [
      { name: 'task:updated', ...TASK, has: { status: 'done' } },
      { name: 'task:status_changed', ...TASK, has: { oldStatus: 'review', newStatus: 'done' } },
    ],
  },
  {
    command: 'task:update', // the task was made elsewhere, and its ids are numbers
    sent: { projectId: 'p1', taskId: 42, title: 'Made elsewhere' },
    events: [{ name: 'task:updated', ...TASK, has: { id: 42, taskId: 42, version: 1 } }],
  },
  {
    command: 'epic:create',
    sent: { projectId: 'p1', id: 'e1', title: 'Epic' },
    events: [{ name: 'epic:created', ...EPIC, has: { epicId: 'e1', version: 1 } }],
  },
  {
    command: 'epic:update',
    sent: { projectId: 'p1', epicId: 'e1', color: '#0af' },
    events: [{ name: 'epic:updated', ...EPIC, has: { id: 'e1', title: 'Epic', color: '#0af', version: 2 } }],
  },
  {
    command: 'task:delete',
    sent: { projectId: 'p1', taskId: 't1' },
    events: [
      {
        name: 'task:deleted',
        adds: ['id', 'taskId', 'projectId', ...NUMBERS, 'deletedAt', 'deletedBy'],
        has: { id: 't1', taskId: 't1' },
      },
    ],
  },
];
const EXPECTED = SCRIPT.flatMap(({ sent, events }) => events.map((event) => ({ ...event, has: { ...sent, ...event.has } })));

function checkEvents(heard) {
  assert.deepEqual(heard.map(({ name }) => name), EXPECTED.map(({ name }) => name));
  for (const [index, { name, adds, has }] of EXPECTED.entries()) {
    const { payload, rest } = heard[index];
    const there = Object.fromEntries(Object.keys(has).map((key) => [key, payload[key]]));
    assert.deepEqual(there, has, `${name}: what was sent`);
    assert.deepEqual(adds.filter((key) => !(key in payload)), [], `${name}: what the server adds`);
    assert.equal(payload.seq, index + 1, `${name}: its place in the project's order`);
    assert.equal(rest.length, 1, `${name}: one argument after the payload`);
    assert.equal(typeof rest[0], 'string', `${name}: the cursor`);
  }
}

for (const variant of MATRIX) {
  test(`${variant.label}: everyone in the room hears every change, complete and in order`, async (t) => {
    const server = await Server.start(t);
    const [sender, mate, outsider] = await Promise.all([1, 2, 3].map(() => Client.connect(server, variant)));
    await mate.join('p1');
    // As relay frontends do it: nothing waits for an answer.
    sender.emit('join:project', 'p1');
    for (const { command, sent } of SCRIPT) sender.emit(command, sent);

    for (const client of [sender, mate]) checkEvents(await client.heard(EXPECTED.length));
    assert.deepEqual(essence(await mate.settled()), essence(await sender.settled()));
    assert.deepEqual(essence(await outsider.settled()), [], 'who did not join hears nothing');
  });

  test(`${variant.label}: who left the room hears nothing more`, async (t) => {
    const server = await Server.start(t);
    const [sender, mate] = await Promise.all([1, 2].map(() => Client.connect(server, variant)));
    await Promise.all([sender.join('p1'), mate.join('p1')]);
    sender.emit('task:create', { projectId: 'p1', id: 't1', title: 'Heard' });
    await mate.heard(1);
    await mate.accepted('leave:project', 'p1');
    sender.emit('task:update', { projectId: 'p1', taskId: 't1', title: 'Not heard' });
    await sender.heard(2);
    assert.deepEqual((await mate.settled()).map(({ payload }) => payload.title), ['Heard']);
  });
}
