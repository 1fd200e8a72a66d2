// What servers say that no real one says on demand: an event again, a refusal without a word.

import assert from 'node:assert/strict';
import { once as onceEmitted } from 'node:events';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import WebSocket, { WebSocketServer } from 'ws';
import { BoardcastSocket, ClosedError } from '../dist/esm/index.js';
import { Once } from '../dist/esm/socketio/once.js';
import { eventually } from './support.mjs';

/** A client of a server that says these messages, one after the other. */
async function heardOf(t, path, messages) {
  class Script {
    readyState = 1;
    constructor() {
      setImmediate(() => messages.forEach((each) => this.onmessage({ data: JSON.stringify(each) })));
    }
    send() {}
    close() {}
  }
  const socket = new BoardcastSocket(`ws://127.0.0.1:1${path}`, { WebSocket: Script });
  t.after(() => socket.close());
  const heard = [];
  socket.on('*', (message) => heard.push(message));
  socket.on('end', () => heard.push('end'));
  void socket.connect();
  await eventually(() => heard.includes('end'), 'the end');
  return { socket, heard };
}

test('an event that comes again is delivered once, and one of another log with the same seq as well', async (t) => {
  const event = (channel, seq, more = {}) => ({ type: 'step', channel, seq, cursor: `${channel}${seq}`, ...more });
  const { socket, heard } = await heardOf(t, '/ws', [
    { type: 'connection', clientId: 'c' },
    event('a', 1), event('a', 2), event('a', 1), event('a', 2), event('b', 1), event('b', 1, { pattern: 'b:*' }), event('a', 3),
    { type: 'channel:reset', channel: 'a', reason: 'retention', seq: 9 },
    event('a', 1), event('a', 1), event('a', 2),
    { type: 'end' },
  ]);
  const places = heard.filter(({ type }) => type === 'step').map(({ channel, pattern, seq }) => `${pattern ?? channel}${seq}`);
  assert.deepEqual(places, ['a1', 'a2', 'b1', 'b:*1', 'a3', 'a1', 'a2']);
  assert.equal(socket.cursor, 'a2');
});

test('compressed data is unpacked, and what follows waits for it', async (t) => {
  const data = { text: 'x'.repeat(5_000) };
  const packed = gzipSync(JSON.stringify(data)).toString('base64');
  const { heard } = await heardOf(t, '/ws/v1', [
    { type: 'connect', data: { clientId: 'c' } },
    { type: 'step', data: packed, metadata: { compressed: true, channel: 'a', seq: 1 } },
    { type: 'step', data: { text: 'y' }, metadata: { compressed: false, channel: 'a', seq: 2 } },
    { type: 'end', data: {} },
  ]);
  assert.deepEqual(heard.filter(({ type }) => type === 'step').map(({ data: { text } }) => text), [data.text, 'y']);
});

test('over Socket.IO an event and its second form come once each, wherever the connection was cut', () => {
  const once = new Once();
  const event = (id) => ({ id, channel: 'news', type: 'step', seq: 1, data: { n: id } });
  const both = (id) => [once.isNew('event', event(id)), once.isNew('step', { n: id })];
  assert.deepEqual(both('1'), [true, true]);
  once.disconnected();
  assert.deepEqual(both('1'), [false, false], 'both were heard');
  assert.equal(once.isNew('event', event('2')), true);
  for (let cut = 0; cut < 3; cut += 1) once.disconnected();
  assert.deepEqual(both('2'), [false, true], 'the second form was not heard');
  assert.deepEqual([once.isNew('step', { n: '2' }), once.isNew('typing', {})], [true, true], 'what is nobody’s second form');
});

test('over Socket.IO an event of a joined project comes once, until the project begins anew', () => {
  const once = new Once();
  const isNew = (seq, projectId = 'p') => once.isNew('task:updated', { projectId, seq });
  assert.deepEqual([isNew(7), isNew(7)], [true, true], 'it was not joined: only some of its events are heard');
  once.joined('p');
  assert.deepEqual([isNew(1), isNew(2), isNew(2), isNew(1), isNew(3)], [true, true, false, false, true]);
  once.reset('p');
  assert.deepEqual([isNew(1), isNew(1)], [true, false]);
  once.left('p');
  assert.equal(isNew(1), true);
});

test('a credential that is refused before there is a connection is shown in a message, which is answered', async (t) => {
  const ways = [];
  const verifyClient = ({ req }, done) => {
    const isShown = req.url.includes('token=');
    ways.push(isShown ? 'address' : 'message');
    done(!isShown, 401);
  };
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', verifyClient });
  t.after(() => (server.clients.forEach((client) => client.terminate()), server.close()));
  await onceEmitted(server, 'listening');
  server.on('connection', (client) => {
    client.send(JSON.stringify({ type: 'connect', data: { authenticated: false } }));
    client.on('message', (text) => {
      const { data } = JSON.parse(text);
      const answer = data.token === 'good' ? { type: 'auth_success', data: {} } : { type: 'auth_failure', data: { code: 'unauthenticated', error: 'no' } };
      client.send(JSON.stringify(answer));
    });
  });
  const open = (token) => {
    const socket = new BoardcastSocket(`ws://127.0.0.1:${server.address().port}/ws/v1`, { WebSocket, token, reconnect: { minDelayMs: 1 } });
    t.after(() => socket.close());
    return socket.connect();
  };
  await assert.rejects(open('bad'), ClosedError);
  await open('good');
  assert.deepEqual(ways, ['address', 'message', 'address', 'message']);
});
