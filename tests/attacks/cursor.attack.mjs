// Cursors that were not handed out: guessed numbers, numbers beside one's own, older forms. None of them opens a channel.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { REQUIRED, tokenOf } from '../clients/tokens.mjs';
import { comeBack, get, post, Stream } from './doors.mjs';
import { Server, eventually, report, size } from './kit.mjs';

const stranger = (user) => tokenOf(user, 3600, undefined, {});
const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** Publishes on so many channels with secret names; answers the names. */
async function secrets(server, count) {
  const channels = Array.from({ length: count }, () => `session:secret-${randomUUID()}`);
  const events = channels.map((channel) => ({ channel, type: 'said', data: { text: 'secret-past' } }));
  for (let at = 0; at < count; at += 100) {
    const { status } = await post(server, '/api/publish', events.slice(at, at + 100), bearer(tokenOf('victim')));
    assert.equal(status, 200);
  }
  return channels;
}

test('a guessed cursor opens no channel at any door', async (t) => {
  const server = await Server.start(t, REQUIRED);
  const channels = await secrets(server, size(20, 250));
  const token = stranger('eve');
  await post(server, '/api/publish', { channel: 'session:mine', type: 'said', data: {} }, bearer(token));
  const { cursor } = await get(server, '/api/channels/session:mine/events', bearer(token));
  const [head, own] = cursor.split('.');
  const [number] = own.split(':');
  const [epoch] = head.split('~');
  const guesses = Array.from({ length: number - 1 }, (_, index) => `${index + 1}:0`);
  const forged = [
    `${epoch}.${guesses.join(',')}`,
    `${head}.${guesses.join(',')}`,
    `${head}.${guesses.join(',')},${own}`,
    `${epoch}~AAAAAAAAAAAAAAAA.${guesses.join(',')}`,
    `${epoch}~${randomUUID().replaceAll('-', '').slice(0, 16)}.${guesses.join(',')}`,
    ...guesses.slice(0, size(5, 50)).map((guess) => `${head}.${guess}`),
  ];
  const heard = [];
  for (const cursor of forged) heard.push(await comeBack(t, server, { token, cursor }));
  const named = await Stream.open(t, server, 'channels=session:mine&signals=1', {
    ...bearer(token),
    'last-event-id': forged[1],
  });
  for (const channel of channels) {
    await post(server, '/api/publish', { channel, type: 'said', data: { text: 'secret-live' } }, bearer(tokenOf('victim')));
  }
  // Whoever may hear a channel has heard it by the time that another, on which is spoken later, is heard.
  const last = await comeBack(t, server, { token, cursor: `${head}.${own.replace(/:\d+/, ':0')}` });
  await post(server, '/api/publish', { channel: 'session:mine', type: 'said', data: { text: 'barrier' } }, bearer(token));
  await eventually(() => Object.values(last()).every((text) => text.includes('barrier')), 'the own channel');
  await eventually(() => named.text.includes('barrier'), 'the named channel');
  for (const [index, what] of heard.entries()) {
    for (const [door, text] of Object.entries(what())) {
      assert.ok(!text.includes('secret'), `${door} opens with ${forged[index]}: ${text.slice(0, 500)}`);
      assert.ok(/session:reset/.test(text), `${door} says nothing of ${forged[index]}: ${text.slice(0, 500)}`);
    }
  }
  assert.ok(!named.text.includes('secret'), named.text.slice(0, 500));
  report(t, { forged: forged.length, doors: 4, channels: channels.length });
});

test('what is said of a forged cursor does not tell which channels there are', async (t) => {
  const server = await Server.start(t, REQUIRED);
  await secrets(server, 5);
  const token = stranger('eve');
  await post(server, '/api/publish', { channel: 'session:mine', type: 'said', data: {} }, bearer(token));
  const { cursor } = await get(server, '/api/channels/session:mine/events', bearer(token));
  const [head] = cursor.split('.');
  const reasons = new Set();
  for (const number of [1, 2, 5, 7, 99, 4711, 999_999]) {
    const heard = await comeBack(t, server, { token, cursor: `${head}.${number}:0` });
    const { flat, polling } = heard();
    for (const text of [flat, polling]) reasons.add(text.match(/"reason":"([^"]*)"/)?.[1]);
  }
  assert.equal(reasons.size, 1, [...reasons].join(' | '));
});

test('a cursor outlives a restart, and nobody else can make it', async (t) => {
  const server = await Server.start(t);
  await post(server, '/api/publish', { channel: 'session:mine', type: 'said', data: { text: 'first' } });
  const { cursor } = await get(server, '/api/channels/session:mine/events?limit=1');
  const before = await get(server, '/api/channels/session:unused/events');
  await server.stop('SIGKILL');
  await server.start();
  await post(server, '/api/publish', { channel: 'session:mine', type: 'said', data: { text: 'second' } });
  await post(server, '/api/publish', { channel: 'session:unused', type: 'said', data: { text: 'third' } });
  const heard = await comeBack(t, server, { cursor });
  const unused = await comeBack(t, server, { cursor: before.cursor });
  await eventually(() => Object.values(heard()).every((text) => text.includes('second')), 'what came after the cursor');
  await eventually(() => Object.values(unused()).every((text) => text.includes('third')), 'what came after nothing');
  for (const text of Object.values(heard())) assert.ok(!text.includes('first') && !text.includes('reset'), text);
});
