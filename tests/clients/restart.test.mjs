// The server dies or is stopped: what was acked is still there, and clients come back without any code.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';

const ENDINGS = [
  { signal: 'SIGKILL', ended: { code: null, signal: 'SIGKILL' } },
  { signal: 'SIGTERM', ended: { code: 0, signal: null } },
];

for (const variant of MATRIX) {
  for (const { signal, ended } of ENDINGS) {
    test(`${variant.label}: ${signal} loses nothing, and the client comes back by itself`, async (t) => {
      const server = await Server.start(t);
      const client = await Client.connect(server, variant);
      await client.join('p1');
      const { data } = await client.accepted('task:create', { projectId: 'p1', title: 'Survivor' });

      assert.deepEqual(await server.stop(signal), ended);
      const { connects } = client;
      await server.start();
      await client.connected(connects + 1);
      // A client that was told "io server disconnect" would have stayed away.
      for (const reason of client.disconnects) assert.match(reason, /^transport (close|error)$/);

      const { tasks } = await client.accepted('project:snapshot', { projectId: 'p1' });
      assert.deepEqual(tasks.map(({ id, title }) => ({ id, title })), [{ id: data.id, title: 'Survivor' }]);
      await client.join('p1');
      const next = await client.accepted('task:update', { projectId: 'p1', taskId: data.id, title: 'Alive' });
      assert.equal(next.seq, 2, 'the order goes on where it ended');
    });
  }
}
