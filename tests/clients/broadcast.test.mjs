// Frontends of a relay without rooms, `socket.broadcast.emit('task:updated', data)`: they connect, join nothing, and name what they like.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';
import { within } from './wait.mjs';

/** The next event of a name that a client hears. */
const next = (client, name) => within(new Promise((heard) => client.socket.once(name, heard)), name);

for (const which of MATRIX) {
  test(`${which.label}: everybody hears what is sent, without joining`, async (t) => {
    const server = await Server.start(t, { DIALECTS: 'broadcast' });
    const [sender, listener] = [await Client.connect(server, which), await Client.connect(server, which)];
    const heard = next(listener, 'task:updated');
    sender.socket.emit('task:update', { projectId: '123', taskId: '456', status: 'completed' });
    const task = await heard;
    assert.equal(task.taskId, '456');
    assert.equal(task.status, 'completed');
    const epic = next(listener, 'epic:updated');
    sender.socket.emit('epic:update', { epicId: 'e1', title: 'Garden' });
    assert.equal((await epic).title, 'Garden');
    const project = next(listener, 'project:created');
    sender.socket.emit('project:create', { projectId: 'p2', title: 'Field' });
    assert.equal((await project).projectId, 'p2');
  });
}

test('with rooms, new projects are heard of without joining them', async (t) => {
  const server = await Server.start(t, { DIALECTS: 'relay' });
  const [which] = MATRIX;
  const [sender, listener] = [await Client.connect(server, which), await Client.connect(server, which)];
  const heard = next(listener, 'project:created');
  const strays = [];
  listener.socket.on('task:created', (task) => strays.push(task));
  sender.socket.emit('project:create', { projectId: 'p1', title: 'Field' });
  assert.equal((await heard).title, 'Field');
  await sender.accepted('task:create', { projectId: 'p1', title: 'Sow' });
  await listener.accepted('join:project', 'p2');
  await listener.accepted('task:create', { projectId: 'p2', title: 'Reap' });
  assert.deepEqual(strays.map((task) => task.title).filter((title) => title === 'Sow'), []);
});
