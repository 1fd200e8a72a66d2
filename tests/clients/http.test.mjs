// What is asked over plain HTTP: health and CORS.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';
import { eventually, within } from './wait.mjs';

const ORIGIN = 'http://localhost:3000';

async function health(server) {
  const response = await fetch(`${server.url}/health`);
  return { status: response.status, body: await response.json() };
}

async function healthCounts(server, connections) {
  let last;
  const probe = async () => {
    last = await health(server);
    assert.deepEqual([last.status, last.body.status], [200, 'healthy']);
    return last.body.connections === connections;
  };
  await eventually(probe, () => `${connections} connections; /health says ${last.body.connections}`);
}

for (const variant of MATRIX) {
  test(`${variant.label}: /health counts who is connected`, async (t) => {
    const server = await Server.start(t);
    await healthCounts(server, 0);
    const clients = await Promise.all([1, 2, 3].map(() => Client.connect(server, variant)));
    await healthCounts(server, 3);
    clients.pop().socket.close();
    await healthCounts(server, 2);
    for (const { socket } of clients) socket.close();
    await healthCounts(server, 0);
  });
}

test('a frontend on another origin may connect, with credentials if it is listed', async (t) => {
  for (const listed of [true, false]) {
    const server = await Server.start(t, listed ? { CORS_ORIGINS: ORIGIN } : {});
    const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const preflight = {
      method: 'OPTIONS',
      headers: {
        Origin: ORIGIN,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type,authorization',
      },
    };
    for (const request of [preflight, { headers: { Origin: ORIGIN } }]) {
      const response = await fetch(url, request);
      assert.ok(response.ok, `${request.method ?? 'GET'}: ${response.status}`);
      // With credentials a browser takes no wildcard: the origin must be named.
      assert.equal(response.headers.get('access-control-allow-origin'), listed ? ORIGIN : '*');
      assert.equal(response.headers.get('access-control-allow-credentials'), listed ? 'true' : null);
    }
  }
});

for (const variant of MATRIX) {
  test(`${variant.label}: a page of another origin than those listed is refused, the listed one is not`, async (t) => {
    const server = await Server.start(t, { CORS_ORIGINS: ORIGIN });
    const page = (origin) => ({ extraHeaders: { Origin: origin }, transportOptions: headers(origin) });
    const { socket } = await Client.connect(server, variant, page(ORIGIN));
    socket.close();
    const { io, transports } = variant;
    const evil = io(server.url, { forceNew: true, ...(transports && { transports }), ...page('https://evil.example') });
    server.attach(evil);
    await within(new Promise((resolve) => evil.on('connect_error', resolve)), 'a refusal');
    assert.equal((await server.health()).limits.refused.origins > 0, true);
    assert.equal(evil.connected, false);
  });
}

/** Version 2 wants them for each transport. */
function headers(origin) {
  const extraHeaders = { Origin: origin };
  return { polling: { extraHeaders }, websocket: { extraHeaders } };
}
