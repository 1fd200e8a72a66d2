// What is published under a type that has a schema is held to it, whichever way it comes in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from './server.mjs';
import { Plain } from './sockets.mjs';
import { eventually } from './wait.mjs';

const GARBAGE = { channel: 'agent:a', type: 'agent_status', data: { garbage: true } };
const FINE = { channel: 'agent:a', type: 'agent_status', data: { agentId: 'a', status: 'busy', mood: [1] } };
const FREE = { channel: 'agent:a', type: 'whatever', data: { garbage: true } };

async function post(server, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${server.url}/api/publish`, { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.json();
}

function plain(t, server, path, make) {
  const socket = Plain.open(t, server, path);
  let count = 0;
  return async (publication) => {
    await eventually(() => socket.heard.length > 0, 'a greeting');
    const id = `m${(count += 1)}`;
    socket.send({ id, ...make(publication) });
    const ack = await eventually(() => socket.heard.find((message) => message.id === id && message.type === 'ack'), 'an ack');
    return path === '/ws/v1' ? ack.data : ack;
  };
}

test('every door refuses data that is not of its type, and names the field', async (t) => {
  const server = await Server.start(t);
  const doors = {
    'one over REST': (publication) => post(server, publication),
    'several over REST': async (publication) => (await post(server, [publication, FREE])).results[0],
    '/ws': plain(t, server, '/ws?sessionId=s', ({ type, data }) => ({ type, ...data })),
    '/ws/v1': plain(t, server, '/ws/v1', ({ channel, type, data }) => {
      return { type, timestamp: 1, data, metadata: { version: '1.0', source: 'it', resource: channel } };
    }),
  };
  for (const [door, publish] of Object.entries(doors)) {
    const refused = await publish(GARBAGE);
    assert.equal(refused.code, 'validation_failed', `${door}: ${JSON.stringify(refused)}`);
    assert.equal(refused.field, 'data.agentId', door);
    assert.equal((await publish(FINE)).ok, true, door);
    assert.equal((await publish(FREE)).ok, true, door);
  }
});
