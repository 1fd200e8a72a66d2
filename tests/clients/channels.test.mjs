// Channels other than projects', for official clients: published by a backend, heard under two names, recovered.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST, MATRIX } from './clients.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';
import { RECOVERING } from './stream.mjs';

const publisher = (server) => async (channel, type, data) => {
  const answer = await fetch(`${server.url}/api/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ channel, type, data }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return answer.json();
};

for (const which of MATRIX) {
  test(`${which.label}: an event of a channel comes as \`event\` and under its own name`, async (t) => {
    const server = await Server.start(t);
    const publish = publisher(server);
    const client = await Client.connect(server, which);
    const answer = await client.accepted('subscribe', { channels: ['session:s', 'ai:jobs:status'] });
    assert.deepEqual(answer.channels.map(({ channel, seq }) => [channel, seq]), [['session:s', 0], ['ai:jobs:status', 0]]);
    const { id } = await publish('session:s', 'ai_progress', { progress: { chunksReceived: 3 } });
    const [whole, own] = await client.heard(2);
    assert.equal(whole.name, 'event');
    const { timestamp, ...rest } = whole.payload;
    assert.ok(Date.parse(timestamp));
    const data = { progress: { chunksReceived: 3 } };
    assert.deepEqual(rest, { channel: 'session:s', type: 'ai_progress', seq: 1, id, actor: rest.actor, data });
    assert.deepEqual([own.name, own.payload], ['ai_progress', data]);

    assert.deepEqual((await client.accepted('unsubscribe', { channel: 'session:s' })).channels, ['session:s']);
    await publish('session:s', 'ai_complete', {});
    for (const type of ['disconnect', 'task:updated', 'job.done']) await publish('ai:jobs:status', type, {});
    const names = (await client.heard(6)).map(({ name }) => name);
    assert.deepEqual(names, ['event', 'ai_progress', 'event', 'event', 'event', 'job.done']);
  });
}

// Version 4 ends the connection when an event has such a name, and would do so again with each recovery.
const OF_THE_LIBRARY = ['connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener', 'reconnecting'];

for (const which of MATRIX.filter(({ label }) => label.endsWith('websocket'))) {
  test(`${which.label}: names of the client library are heard as \`event\` alone`, async (t) => {
    const server = await Server.start(t);
    const publish = publisher(server);
    const client = await Client.connect(server, which);
    await client.accepted('task:create', { projectId: 'p', title: 'first' });
    await client.accepted('join:project', 'p');
    await client.accepted('subscribe', { channels: ['session:s'] });
    const forged = [];
    for (const name of OF_THE_LIBRARY) client.socket.on(name, (...args) => forged.push([name, args]));
    forged.length = 0;
    const before = client.connects;
    for (const channel of ['project:p', 'session:s']) {
      for (const type of OF_THE_LIBRARY) await publish(channel, type, {});
    }
    const heard = await client.heard(2 * OF_THE_LIBRARY.length);
    assert.deepEqual(heard.map(({ name, payload }) => [name, payload.type]), [...OF_THE_LIBRARY, ...OF_THE_LIBRARY].map((type) => ['event', type]));
    assert.deepEqual([forged, client.connects, client.disconnects], [[], before, []]);
  });
}

for (const which of RECOVERING) {
  test(`${which.label}: subscriptions come back with what was missed, filters too`, async (t) => {
    const server = await Server.start(t);
    const publish = publisher(server);
    const proxy = await Proxy.start(t, server);
    const client = await Client.connect(proxy, which);
    await client.accepted('subscribe', { channel: 'workflow:*', types: ['wanted'] });
    await client.accepted('subscribe', { channel: 'user:ann' });
    await publish('workflow:1', 'wanted', 1);
    await client.heard(2);
    await proxy.away(client, async () => {
      await publish('workflow:2', 'unwanted', 2);
      await publish('workflow:3', 'wanted', 3);
      await publish('user:ann', 'note', 4);
    });
    await publish('workflow:4', 'wanted', 5);
    const heard = (await client.heard(8)).filter(({ name }) => name === 'event');
    const told = heard.map(({ payload }) => [payload.channel, payload.data]);
    const of = (family) => told.filter(([channel]) => channel.startsWith(family));
    assert.deepEqual(of('workflow'), [['workflow:1', 1], ['workflow:3', 3], ['workflow:4', 5]]);
    assert.deepEqual(of('user'), [['user:ann', 4]]);
    assert.deepEqual(client.recoveries, [true]);
  });
}

test('bad names and filters are refused with the field', async (t) => {
  const server = await Server.start(t);
  const client = await Client.connect(server, LATEST);
  for (const [payload, field] of [
    [{}, 'channel'],
    [{ channel: 'a b' }, 'channel'],
    [{ channels: ['user:*'] }, 'channel'],
    [{ channels: [] }, 'channels'],
    [{ channel: 'c', types: 'x' }, 'types'],
    [{ channel: 'c', types: [] }, 'types'],
    [{ channels: ['c', 'd'], since: 1 }, 'since'],
  ]) {
    const answer = await client.call('subscribe', payload);
    assert.deepEqual([answer.code, answer.field], ['validation_failed', field], JSON.stringify(payload));
  }
});
