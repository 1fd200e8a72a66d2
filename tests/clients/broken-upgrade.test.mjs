// Proxies between a client and the server that let a WebSocket begin and then do not carry it. The client, as everybody
// has it, stays on long-polling and gets its acks, as with Node's server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';
import { eventually } from './wait.mjs';

/** A proxy that passes HTTP on, and does with WebSockets what `broken` says. */
async function proxy(t, server, broken) {
  const sockets = new Set();
  const keep = (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const listener = createServer((client) => {
    keep(client);
    client.once('data', (head) => {
      const upstream = keep(connect(server.port, '127.0.0.1'));
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
      upstream.write(head);
      if (/upgrade: *websocket/i.test(head.toString('latin1'))) return broken(client, upstream);
      client.pipe(upstream);
      upstream.pipe(client);
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${listener.address().port}`, attach: (socket) => server.attach(socket) };
}

/** Passes on so many pieces in a direction, and nothing after that. */
function some(from, to, pieces) {
  let passed = 0;
  from.on('data', (data) => {
    if (passed < pieces) to.write(data);
    passed += 1;
  });
}

const BROKEN = {
  'swallows all frames': (client, upstream) => {
    some(client, upstream, 0);
    some(upstream, client, 1);
  },
  'swallows what the client sends': (client, upstream) => {
    some(client, upstream, 0);
    upstream.pipe(client);
  },
  'swallows what the server sends': (client, upstream) => {
    client.pipe(upstream);
    some(upstream, client, 1);
  },
  'drops the connection after the first frame': (client, upstream) => {
    some(upstream, client, 1);
    client.on('data', () => client.destroy());
  },
  'drops the connection at once': (client, upstream) => {
    upstream.on('data', (data) => client.end(data));
  },
  'makes garbage of what the client sends': (client, upstream) => {
    upstream.pipe(client);
    client.on('data', () => upstream.write('\x00garbage'));
  },
};

for (const client of MATRIX.filter(({ label }) => label.endsWith('upgrade'))) {
  test(`${client.label}: acks come over long-polling if the WebSocket does not work`, { concurrency: 6 }, async (t) => {
    const server = await Server.start(t);
    await Promise.all(Object.entries(BROKEN).map(([what, broken]) => t.test(what, async (t) => {
      const front = await proxy(t, server, broken);
      const user = await Client.connect(front, client);
      await user.accepted('join:project', `p-${what.length}`);
      for (let count = 0; count < 20; count += 1) {
        await user.accepted('task:create', { projectId: `p-${what.length}`, title: `${count}` });
        await delay(20);
      }
      await user.heard(20);
      assert.equal(user.connects, 1, `disconnected: ${user.disconnects}`);
      assert.equal(user.transport, 'polling');
    })));
  });
}

test('a WebSocket that fails when the client has changed already is found by the heartbeat, and nothing is missed', async (t) => {
  const server = await Server.start(t, { PING_INTERVAL: '500ms', PING_TIMEOUT: '500ms' });
  let broken = 0;
  // The handshake and 3probe pass, and of the client 2probe; its "5" does not. From the second time on all is well.
  const front = await proxy(t, server, (client, upstream) => {
    broken += 1;
    if (broken > 1) {
      client.pipe(upstream);
      upstream.pipe(client);
      return;
    }
    some(client, upstream, 1);
    some(upstream, client, 2);
  });
  const user = await Client.connect(front, MATRIX.find(({ label }) => label === '4.8 upgrade'));
  await user.repeated('join:project', 'p');
  const writer = await Client.connect(server, MATRIX.find(({ label }) => label === '4.8 websocket'));
  for (let count = 0; count < 20; count += 1) {
    await writer.accepted('task:create', { projectId: 'p', title: `${count}` });
    await delay(50);
  }
  await user.connected(2);
  await user.heard(20);
  const titles = user.events.filter(({ name }) => name === 'task:created').map(({ payload }) => payload.title);
  assert.deepEqual(titles, Array.from({ length: 20 }, (_, index) => `${index}`));
  await eventually(() => user.transport === 'websocket', 'it has changed');
  await user.accepted('task:create', { projectId: 'p', title: 'last' });
});
