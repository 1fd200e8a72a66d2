// Tokens, as official clients bring them along: at first, and when they expire.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, LATEST, MATRIX } from './clients.mjs';
import { Server } from './server.mjs';
import { REQUIRED, tokenOf } from './tokens.mjs';
import { eventually, within } from './wait.mjs';

const WRONG_KEY = 'another secret of 32 characters!';
/** Tokens end soon, and connections soon after. */
const SHORT = { ...REQUIRED, AUTH_EXPIRY_WARNING: '2s', AUTH_LEEWAY: '1s', AUTH_GRACE: '0s' };
const COOKIE = { AUTH_COOKIE: 'session', CORS_ORIGINS: 'https://app.example' };

/** Where each version can put a token. */
function places({ label }, token) {
  const header = { extraHeaders: { Authorization: `Bearer ${token}` } };
  const cookie = { extraHeaders: { Cookie: `a=b; session=${token}` } };
  const query = { query: { token } };
  // Version 2 knows no `auth`, and headers only as options of each transport.
  return Object.entries(label.startsWith('2.') ? { query } : { auth: { auth: { token } }, query, header, cookie });
}

/** Connects, and answers why that was refused. */
function refusal(t, server, { io, transports }, options) {
  const socket = io(server.url, { forceNew: true, reconnection: false, ...(transports && { transports }), ...options });
  t.after(() => socket.close());
  const refused = new Promise((resolve, reject) => {
    socket.on('connect', () => reject(new Error('the client was let in')));
    socket.on('connect_error', resolve);
    socket.on('error', resolve); // version 2
  });
  return within(refused, 'a refusal');
}

for (const which of MATRIX) {
  test(`${which.label}: a token lets in wherever it stands, and nothing else does`, async (t) => {
    const server = await Server.start(t, { ...REQUIRED, ...COOKIE });
    for (const [place, options] of places(which, tokenOf('ann'))) {
      const client = await Client.connect(server, which, options);
      await client.join('p');
      await client.accepted('task:create', { projectId: 'p', title: place });
      const [{ payload }] = await client.heard(1);
      assert.equal(payload.createdBy, 'ann', place);
    }
    for (const bad of [tokenOf('ann', 3600, WRONG_KEY), tokenOf('ann', -60), 'garbage']) {
      for (const [place, options] of places(which, bad)) {
        assert.equal((await refusal(t, server, which, options)).message, 'unauthenticated', place);
      }
    }
    assert.equal((await refusal(t, server, which, {})).message, 'unauthenticated');
  });
}

for (const which of MATRIX.filter(({ label }) => label.startsWith('4.8'))) {
  test(`${which.label}: with a fresh token each time it goes on without a hole`, async (t) => {
    // It writes as fast as it can.
    const server = await Server.start(t, { ...SHORT, COMMAND_RATE: 'none' });
    const writer = await Client.connect(server, LATEST, { auth: { token: tokenOf('bob') } });
    let asked = 0;
    const auth = (answer) => {
      asked += 1;
      answer({ token: tokenOf('ann', 2) });
    };
    const client = await Client.connect(server, which, { auth });
    await client.join('p');
    let written = 0;
    while (client.connects < 3) {
      written += 1;
      await writer.accepted('task:create', { projectId: 'p', title: `${written}` });
    }
    const changes = () => client.events.filter(({ name }) => name === 'task:created');
    await eventually(() => changes().length >= written, 'all that was written');
    assert.deepEqual(changes().map(({ payload }) => payload.seq), Array.from({ length: written }, (_, at) => at + 1));
    assert.deepEqual(client.recoveries, client.recoveries.map(() => true));
    assert.ok(asked >= 3);
    // Not with `io server disconnect`, after which a client does not come back.
    assert.deepEqual(client.disconnects.filter((reason) => !reason.startsWith('transport')), []);
    assert.ok(client.events.some(({ name }) => name === 'auth:expiring'));
  });

  test(`${which.label}: a refresh keeps the connection`, async (t) => {
    const server = await Server.start(t, SHORT);
    const client = await Client.connect(server, which, { auth: { token: tokenOf('ann', 3) } });
    await client.join('p');
    let refreshed = 0;
    client.socket.on('auth:expiring', async ({ expiresAt, expiresInMs }) => {
      assert.ok(expiresInMs <= 2000 && Math.abs(Date.parse(expiresAt) - Date.now() - expiresInMs) < 2000);
      const answer = await client.call('auth:refresh', { token: tokenOf('ann', 3) });
      assert.equal(answer.ok, true, JSON.stringify(answer));
      refreshed += 1;
    });
    await eventually(() => refreshed >= 3, 'three refreshes');
    await client.accepted('task:create', { projectId: 'p', title: 'still here' });
    await eventually(() => client.events.some(({ name }) => name === 'task:created'), 'the task');
    assert.deepEqual([client.connects, client.disconnects], [1, []]);
  });

  test(`${which.label}: with a token that has expired it is told so and stays away`, async (t) => {
    const server = await Server.start(t, SHORT);
    const client = await Client.connect(server, which, { auth: { token: tokenOf('ann', 2) } });
    const refused = new Promise((resolve) => client.socket.on('connect_error', resolve));
    assert.equal((await within(refused, 'a refusal')).message, 'unauthenticated');
    assert.equal(client.socket.active, false);
  });
}
