// socket.io-client's own retries, `retries` and `ackTimeout`, while answers get lost: each command has one effect.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AckFilter } from './ack-filter.mjs';
import { Client, LATEST } from './clients.mjs';
import { Server } from './server.mjs';
import { within } from './wait.mjs';

const RETRIES = { retries: 3, ackTimeout: 250 };
const CREATES = 3;

/** How frontends say a command's key: the payload and the arguments after it. */
const SPELLINGS = {
  idempotencyKey: (key) => [{ idempotencyKey: key }],
  clientMutationId: (key) => [{ clientMutationId: key }],
  mutationId: (key) => [{ mutationId: key }],
  requestId: (key) => [{ requestId: key }],
  'the last argument': (key) => [{}, key],
};

const LOSSES = {
  'the first two answers are dropped': (tries) => (tries <= 2 ? 'drop' : 'pass'),
  'the connection is cut instead of an answer, twice': (tries) => (tries <= 2 ? 'cut' : 'pass'),
};

/** A client whose answers get lost, and a function that emits a command, with a new key, and answers the reply. */
async function start(t, server, lose, keyed) {
  const filter = await AckFilter.start(t, server, lose);
  const client = await Client.connect(filter, LATEST, RETRIES);
  let keys = 0;
  const send = async (name, payload) => {
    const [more, ...rest] = keyed(`key ${(keys += 1)}`);
    const { socket } = client;
    const answered = new Promise((resolve, reject) => {
      const done = (error, reply) => (error ? reject(error) : resolve(reply));
      socket.emit(name, { ...payload, ...more }, ...rest, done);
    });
    return within(answered, `an answer to ${name}`);
  };
  return { filter, client, send };
}

/** Creates, updates, deletes and is refused; answers what was answered. */
async function work(send, projectId) {
  const creates = await Promise.all(
    Array.from({ length: CREATES }, (_, at) => send('task:create', { projectId, title: `task ${at}` })),
  );
  const [taskId] = creates.map(({ data }) => data.id);
  return [
    ...creates,
    await send('task:update', { projectId, taskId, title: 'another' }),
    await send('task:status', { projectId, taskId, status: 'done' }),
    await send('task:delete', { projectId, taskId }),
    await send('task:update', { projectId, taskId, title: 'too late' }),
  ];
}

const EVENTS = [
  ...Array(CREATES).fill('task:created'),
  ...['task:updated', 'task:updated', 'task:status_changed', 'task:deleted'],
];

/** Checks that each command has had one effect, although it was sent at least three times. */
async function check(filter, replies, log) {
  assert.deepEqual(log.map(({ event }) => event), EVENTS);
  const created = replies.slice(0, CREATES).map(({ data }) => data.id);
  assert.deepEqual(log.slice(0, CREATES).map(({ payload }) => payload.id), created);
  assert.deepEqual(replies.map(({ ok, code }) => code ?? ok), [...Array(replies.length - 1).fill(true), 'gone']);

  const sent = [...filter.commands.values()];
  assert.equal(sent.length, replies.length);
  for (const [at, { tries, answers }] of sent.entries()) {
    assert.ok(tries >= 3, `${tries} tries`);
    const { duplicate, ...reply } = replies[at];
    assert.equal(duplicate, true, 'what was heard in the end is a repetition');
    for (const { duplicate: _, ...answer } of answers) assert.deepEqual(answer, reply, 'of the first answer');
  }
}

for (const [what, lose] of Object.entries(LOSSES)) {
  test(`${what}: each command has one effect, however its key is spelled`, async (t) => {
    const server = await Server.start(t);
    const other = await Client.connect(server, LATEST);
    const run = async ([spelling, keyed]) => {
      const { filter, send } = await start(t, server, lose, keyed);
      const replies = await work(send, spelling);
      await check(filter, replies, await other.log(spelling));
    };
    await Promise.all(Object.entries(SPELLINGS).map(run));
  });
}

test('a client that is cut off from all answers gives up, and goes on with the next command', async (t) => {
  const server = await Server.start(t);
  let deaf = true;
  const { client, send } = await start(t, server, () => (deaf ? 'drop' : 'pass'), SPELLINGS.idempotencyKey);
  await assert.rejects(send('task:create', { projectId: 'p1', title: 'unanswered' }), /timed out/);
  deaf = false;
  await send('task:create', { projectId: 'p1', title: 'answered' });
  const other = await Client.connect(server, LATEST);
  const titles = (await other.log('p1')).map(({ payload }) => payload.title);
  assert.deepEqual(titles, ['unanswered', 'answered']);
  assert.equal(client.connects, 1);
});
