// Who sends more than the rates allow is slowed down to them, and loses nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST, variant } from './clients.mjs';
import { Server } from './server.mjs';
import { eventually } from './wait.mjs';

const COUNT = 1_000;
const SETTINGS = { COMMAND_RATE: '400/100', PING_INTERVAL: '500ms', PING_TIMEOUT: '500ms' };
/** What the rates make of so many. Who is not slowed down is sooner done. */
const LEAST_MS = 1_500;

const task = (number) => ({ projectId: 'p', taskId: `task ${number}`, title: 'a task' });

for (const label of ['4.8 websocket', '4.8 polling', '4.8 upgrade', '2.5 websocket', '2.5 polling']) {
  test(`held back: ${label}: one command after the other, none is refused`, async (t) => {
    const server = await Server.start(t, SETTINGS);
    const client = await Client.connect(server, variant(label));
    const started = performance.now();
    for (let number = 0; number < COUNT; number += 1) await client.accepted('task:create', task(number));
    assert.ok(performance.now() - started > LEAST_MS);
    assert.deepEqual(client.disconnects, []);
  });

  test(`held back: ${label}: of emits without an ack nothing is lost, and the client stays`, async (t) => {
    const server = await Server.start(t, SETTINGS);
    const [client, other] = [await Client.connect(server, variant(label)), await Client.connect(server, LATEST)];
    const errors = [];
    client.socket.on('error', (error) => errors.push(error));
    for (let number = 0; number < COUNT; number += 1) client.emit('task:create', task(number));
    await eventually(async () => (await other.call('project:snapshot', 'p')).seq === COUNT, 'all are stored');
    assert.deepEqual([client.disconnects, errors], [[], []]);
    const { limits } = await server.health();
    assert.equal(limits.refused.commands, 0);
    assert.ok(limits.held_back > 0);
  });
}
