// The transports themselves: which one a connection ends on, and that the change between them loses nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';
import { eventually } from './wait.mjs';

const BURST = 100;

for (const variant of MATRIX) {
  test(`${variant.label}: ends on ${variant.endsOn}, and nothing is lost on the way`, async (t) => {
    const server = await Server.start(t);
    const other = await Client.connect(server, LATEST);
    const client = await Client.connect(server, variant);
    client.emit('join:project', 'p1');
    // Both directions are busy from the first moment, so the upgrade falls into the traffic.
    for (let number = 0; number < BURST; number += 1) {
      client.emit('task:create', { projectId: 'p1', from: 'client', number });
    }
    await client.heard(1);
    for (let number = 0; number < BURST; number += 1) {
      other.emit('task:create', { projectId: 'p1', from: 'other', number });
    }

    await eventually(() => client.transport === variant.endsOn, () => `${variant.endsOn}; still ${client.transport}`);
    const payloads = (await client.heard(2 * BURST)).map(({ payload }) => payload);
    const numbers = Array.from({ length: 2 * BURST }, (_, index) => index);
    assert.deepEqual(payloads.map(({ seq }) => seq), numbers.map((number) => number + 1));
    for (const sender of ['client', 'other']) {
      const order = payloads.filter(({ from }) => from === sender).map(({ number }) => number);
      assert.deepEqual(order, numbers.slice(0, BURST), `what ${sender} sent, in the order it was sent`);
    }
    assert.deepEqual([client.connects, client.disconnects], [1, []]);
  });
}
