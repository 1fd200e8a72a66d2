// Clients with the MessagePack parser: they are recognised by their first packet, and are as others are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import parser from 'socket.io-msgpack-parser';
import { Client, LATEST, MATRIX } from './clients.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';
import { assertRecovered } from './stream.mjs';
import { eventually } from './wait.mjs';

const TRANSPORTS = MATRIX.filter(({ label }) => label.startsWith(LATEST.label.split(' ')[0]));

for (const which of TRANSPORTS) {
  test(`${which.label}: events and acks are what they are for others`, async (t) => {
    const server = await Server.start(t);
    const packed = await Client.connect(server, which, { parser });
    const plain = await Client.connect(server, LATEST);
    for (const client of [packed, plain]) await client.join('p1');
    const task = { projectId: 'p1', id: 7, title: 'é😀\u0001', points: 1.5, big: 2 ** 40, less: -300, none: null, list: [[], {}, true] };
    const created = await packed.accepted('task:create', { ...task, gone: undefined });
    assert.equal(created.data.title, task.title);
    await plain.accepted('task:update', { projectId: 'p1', taskId: 7, title: 'x'.repeat(70_000), at: new Date(0) });
    const heard = await Promise.all([packed.heard(2), plain.heard(2)]);
    assert.deepEqual(heard[0], heard[1]);
    const [{ payload }, { payload: update }] = heard[0];
    assert.deepEqual({ ...payload, ...task }, payload);
    assert.deepEqual([payload.gone, update.title.length, update.at], [undefined, 70_000, '1970-01-01T00:00:00.000Z']);
    await eventually(() => packed.transport === which.endsOn, () => `${which.endsOn}; still ${packed.transport}`);

    const refused = await packed.call('task:create', { projectId: 'p1', file: Buffer.from('bytes') });
    assert.deepEqual([refused.code, refused.field], ['validation_failed', 'file']);
    assert.equal((await packed.call('task:explode', {})).code, 'unknown_event');
    packed.socket.emit('task:create', { title: 'no project' });
    const { payload: error } = (await packed.heard(3))[2];
    assert.deepEqual([error.event, error.field], ['task:create', 'projectId']);
    assert.deepEqual([packed.connects, packed.disconnects], [1, []]);
  });

  test(`${which.label}: a session is recovered`, async (t) => {
    const server = await Server.start(t);
    const proxy = await Proxy.start(t, server);
    const client = await Client.connect(proxy, which, { parser });
    const writer = await Client.connect(server, LATEST);
    await client.join('p1');
    for (let round = 1; round <= 3; round += 1) {
      await proxy.away(client, () => writer.accepted('task:create', { projectId: 'p1', title: `round ${round}` }));
      await client.heard(round);
    }
    assert.deepEqual(client.events.map(({ payload }) => payload.title), ['round 1', 'round 2', 'round 3']);
    assertRecovered(client, 3);
  });
}

test('a refusal reaches the client as connect_error', async (t) => {
  const server = await Server.start(t, { AUTH_REQUIRED: 'true', AUTH_SECRET: 'a secret of thirty-two characters' });
  for (const transports of [['polling'], ['websocket']]) {
    const { io } = await import('socket.io-client');
    const socket = io(server.url, { parser, transports, reconnection: false });
    t.after(() => socket.close());
    const error = await new Promise((resolve) => socket.on('connect_error', resolve));
    assert.equal(error.message, 'unauthenticated');
  }
});
