// What the hooks promise: nothing lost or doubled, nothing left behind, no more renders than a screen can show.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Proxy } from '../../../tests/clients/proxy.mjs';
import { Server } from '../../../tests/clients/server.mjs';
import { OFTEN_PINGED } from '../../../tests/clients/stream.mjs';
import { REQUIRED, tokenOf } from '../../../tests/clients/tokens.mjs';
import { eventually } from '../../../tests/clients/wait.mjs';
import { open, publish, start } from './scene.mjs';

const CUTS = Number(process.env.REACT_CUTS ?? 50);
const numbers = (count) => Array.from({ length: count }, (_, index) => index);
const listener = (...channels) => ({ name: 'Listener', props: { channels } });
const stats = async (server) => (await fetch(`${server.url}/api/ws/stats`)).json();

async function createTask(server, projectId, title) {
  const response = await fetch(`${server.url}/api/projects/${projectId}/tasks`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ title, status: 'todo' }),
  });
  assert.equal(response.ok, true, await response.text());
}

test(`cut ${CUTS} times, hooks lose nothing and hear nothing twice`, async (t) => {
  const server = await Server.start(t, OFTEN_PINGED);
  const proxy = await Proxy.start(t, server);
  const page = await open(t, proxy.url);
  const channels = { channels: ['news'] };
  await page.show([listener('news'), { name: 'Stream', props: channels }, { name: 'Channel', props: channels }, { name: 'Board', props: { projectId: 'p' } }]);
  for (const state of ['up', 'stream up', 'channel open', 'board live']) await page.shows(state);
  // One of each per cut, before the page may be back. The others are cut wherever they are when the WebSocket is back.
  for (const number of numbers(CUTS)) {
    await eventually(async () => (await page.seen('opens')) > number, `connection ${number}`);
    proxy.cut();
    await Promise.all([publish(server, 'news', 'item', { number }), createTask(server, 'p', `task ${number}`)]);
  }
  const heard = (messages) => messages.filter(({ type }) => type === 'item').map(({ data }) => data.number);
  const all = async () => {
    const { messages, events, channel } = await page.seen();
    return [heard(messages), heard(events.map(({ message, ...rest }) => ({ ...rest, data: message }))), heard(channel)];
  };
  let seen;
  await eventually(async () => (seen = await all()).every(({ length }) => length >= CUTS), () => `${CUTS} messages; ${JSON.stringify(seen)}`);
  await page.shows(`task task ${CUTS - 1}`);
  assert.deepEqual(await all(), [numbers(CUTS), numbers(CUTS), numbers(CUTS)]);
  const tasks = (await page.text()).match(/task task \d+/g);
  assert.deepEqual(tasks, numbers(CUTS).map((number) => `task task ${number}`));
  assert.deepEqual(page.complaints, []);
});

for (const version of [18, 19]) {
  test(`React ${version}: StrictMode opens each connection once, and unmounting closes them all`, async (t) => {
    const { server, page } = await start(t, version);
    const project = { projectId: 'p' };
    await page.show([
      listener('news'),
      { name: 'Stream', props: { channels: ['news'] } },
      { name: 'Board', props: project },
      { name: 'People', props: project },
      { name: 'AgentStatus', props: { agentId: 'coder-001' } },
    ]);
    for (const state of ['up', 'stream up', 'board live', 'people live']) await page.shows(state);
    await eventually(async () => (await stats(server)).activeConnections === 2, 'both WebSockets');
    assert.equal((await stats(server)).totalConnections, 2);
    assert.equal((await server.health()).connections, 4, 'with one Socket.IO connection and one stream');
    await page.leave();
    await eventually(async () => (await stats(server)).activeConnections === 0, 'no WebSocket');
    await eventually(async () => (await server.health()).connections === 0, 'no connection');
    assert.equal(await page.streams(0), undefined);
    assert.deepEqual(page.complaints, []);
  });
}

test('a flood of messages reaches onMessage whole and renders once per frame; single messages render each', async (t) => {
  const { server, page } = await start(t);
  await page.show([listener('news')]);
  // A connection that is up may still be about to subscribe.
  await eventually(async () => {
    await publish(server, 'news', 'first', {});
    return (await page.heard('first')) > 0;
  }, 'it listens');
  for (const number of numbers(5)) {
    await publish(server, 'news', 'slow', { number });
    await eventually(async () => (await page.seen()).last.some(({ type, data }) => type === 'slow' && data.number === number), 'it is rendered');
  }
  const before = (await page.seen()).renders;
  let count;
  const flood = numbers(2000).map((number) => ({ channel: 'news', type: 'fast', data: { number } }));
  for (const part of numbers(20)) await publishAll(server, flood.slice(part * 100, part * 100 + 100));
  await eventually(async () => (count = await page.heard('fast')) >= flood.length, () => `all messages: ${count}`);
  const { messages, renders } = await page.seen();
  const heard = messages.filter(({ type }) => type === 'fast').map(({ data }) => data.number);
  assert.deepEqual(heard, numbers(flood.length));
  // StrictMode renders everything twice.
  assert.ok(renders - before < flood.length, `${renders - before} renders`);
});

async function publishAll(server, messages) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${server.url}/api/publish`, { method: 'POST', headers, body: JSON.stringify(messages) });
  const answer = await response.json();
  assert.equal(answer.results?.every(({ ok }) => ok), true, JSON.stringify(answer).slice(0, 500));
}

test('who is in a project is shown to the others, and what they say of themselves', async (t) => {
  const server = await Server.start(t, { PRESENCE_GRACE: '100ms' });
  const [ann, ben] = await Promise.all([open(t, server.url), open(t, server.url)]);
  const people = { name: 'People', props: { projectId: 'p' } };
  const board = { name: 'Board', props: { projectId: 'p' } };
  await ann.show([people, board], { userId: 'ann' });
  await ann.shows('people live: ann.');
  await ben.show([people], { userId: 'ben' });
  await ben.shows('people live: ann, ben.');
  await ann.shows('people live: ann, ben.');
  await ben.click('Away');
  await ann.shows('people live: ann, ben is away.');
  // One hook leaves the project, and the other one stays in it.
  await ann.show([people], { userId: 'ann' });
  await ben.shows('people live: ann, ben is away.');
  await createTask(server, 'p', 'Sow');
  await ben.leave();
  await ann.shows('people live: ann.');
  assert.deepEqual([...ann.complaints, ...ben.complaints], []);
});

test('a change without a connection is shown at once, and made when there is one', async (t) => {
  const { server, page } = await start(t);
  await page.show([{ name: 'Board', props: { projectId: 'p' } }]);
  await page.shows('board live');
  await page.click('Create');
  await page.shows('task Sow');
  await server.stop('SIGKILL');
  await page.shows('board offline');
  await page.click('Rename');
  await page.shows('task Reap pending');
  await server.start();
  await page.shows('board live');
  await eventually(async () => !(await page.text()).includes('pending'), 'the answer');
  await page.shows('task Reap');
});

test('an agent is watched over the envelope, until another one is', async (t) => {
  const { server, page } = await start(t);
  await page.show([{ name: 'AgentStatus', props: { agentId: 'coder-001' } }]);
  await page.shows('agent');
  // Whoever subscribes hears what comes from then on: it is published until it is heard.
  const busy = { agentId: 'coder-001', agentType: 'coder', status: 'busy' };
  await eventually(async () => {
    await publish(server, 'agent:coder-001', 'agent_status', busy);
    return (await page.text()).includes('agent busy');
  }, 'the status of the agent');
});

test('a stream that was refused for good is opened again from its last event', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const refusing = createServer((_, response) => response.writeHead(502).end());
  await once(refusing.listen(0, '127.0.0.1'), 'listening');
  t.after(() => refusing.close());
  const page = await open(t, proxy.url);
  await page.show([{ name: 'Channel', props: { channels: ['news'], types: ['item'] } }]);
  await page.shows('channel open');
  await publish(server, 'news', 'item', { number: 1 });
  await page.shows('channel open item');
  proxy.target = { port: refusing.address().port };
  proxy.cut();
  await page.shows('channel closed');
  await publish(server, 'news', 'item', { number: 2 });
  proxy.target = server;
  proxy.cut();
  await page.shows('channel open item,item');
  assert.deepEqual((await page.seen()).channel.map(({ data }) => data.number), [1, 2]);
});

test('a provider shows its token at every door', async (t) => {
  const { server, page } = await start(t, 19, REQUIRED);
  const scenes = [listener('news'), { name: 'Stream', props: { channels: ['news'] } }, { name: 'Board', props: { projectId: 'p' } }];
  await page.show(scenes, { token: tokenOf('ann') });
  for (const state of ['up', 'stream up', 'board live']) await page.shows(state);
  await page.show(scenes, { userId: 'another', token: 'none' });
  await page.shows('board refused');
});
