// The components of the pages, word for word, before the real server, in both versions of React and in StrictMode.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../tests/clients/wait.mjs';
import { publish, start } from './scene.mjs';

const logs = (page, text) => eventually(() => page.logged.find((line) => line.text.includes(text)), `a line ${text} in the page's console`);

for (const version of [18, 19]) {
  test(`React ${version}: MyComponent of the page connects, sends a ping, and hears its session`, async (t) => {
    const { server, page } = await start(t, version);
    await page.show({ name: 'MyComponent' });
    await page.shows('Status: Connected');
    await page.click('Ping Server');
    await logs(page, 'pong');
    await publish(server, 'session:my_session', 'notification', { message: 'hello' });
    await logs(page, 'notification');
    await server.stop('SIGKILL');
    await page.shows('Status: Disconnected');
    assert.deepEqual(page.complaints, []);
    await server.start();
  });

  test(`React ${version}: AIComponent of the page follows a run`, async (t) => {
    const { server, page } = await start(t, version);
    const say = (type, data) => publish(server, 'session:my_session', type, data);
    await page.show({ name: 'AIComponent' });
    await page.shows('Connection: ✓');
    await page.shows('AI Status: idle');
    await say('ai_start', { task: { prompt: 'Create a React component', mode: 'generate' } });
    await page.shows('AI Status: processing');
    await say('ai_progress', { progress: { chunksReceived: 25, contentLength: 1250 } });
    await page.shows('Progress: 25 chunks');
    await say('ai_complete', { result: { mode: 'generate', contentLength: 5000, chunks: 100 } });
    await page.shows('AI Status: complete');
    await page.shows('"chunks":100');
    await logs(page, 'AI completed:');
    await say('ai_error', { error: { message: 'API rate limit exceeded', type: 'rate_limit_error' } });
    await page.shows('API rate limit exceeded');
    assert.deepEqual(page.complaints, []);
  });
}

test('the debug mode of the page logs how its connection goes', async (t) => {
  const { server, page } = await start(t);
  await page.show({ name: 'DebugMode' });
  await logs(page, '[WS] Connected');
  await publish(server, 'session:my_session', 'notification', {});
  await logs(page, '[WS] Message:');
  await server.stop('SIGKILL');
  await logs(page, '[WS] Disconnected');
  await logs(page, '[WS] Error:');
  await server.start();
});

test('the automatic reconnection of the page comes back', async (t) => {
  const { server, page } = await start(t);
  await page.show({ name: 'AutomaticReconnection' });
  await page.shows('up');
  await server.stop('SIGKILL');
  await page.shows('down');
  await server.start();
  await page.shows('up');
});

test('a hook gives up after as many attempts as it may make', async (t) => {
  const { server, page } = await start(t);
  await page.show({ name: 'GivesUp', props: { maxReconnectAttempts: 10 } });
  await page.shows('state open');
  await server.stop('SIGKILL');
  await page.shows('state failed');
  assert.ok((await page.seen('errors')).length >= 10, 'each attempt was told');
  await server.start();
});

test('a hook of an address alone shows the last message, and comes back', async (t) => {
  const { server, page } = await start(t);
  await page.show({ name: 'ByUrl', props: { url: '/ws?sessionId=s' } });
  await page.shows('up');
  await page.click('Ping');
  await page.shows('pong');
  await server.stop('SIGKILL');
  await page.shows('down');
  await publishLater(server, 'session:s', 'missed');
  await page.shows('missed');
});

/** Starts the server again, and publishes. */
async function publishLater(server, channel, type) {
  await server.start();
  await publish(server, channel, type, {});
}

test('an event source has the last 100 events, the oldest first', async (t) => {
  const { server, page } = await start(t);
  await page.show({ name: 'Stream', props: { channels: ['news'] } });
  await page.shows('stream up');
  for (let number = 0; number < 105; number += 1) await publish(server, 'news', 'item', { number });
  await eventually(async () => (await page.seen('events')).length === 105, 'every event is told');
  await page.shows('stream up 100 from 5');
});

test('the event monitor of the page shows what is published', async (t) => {
  const { server, page } = await start(t);
  await page.show({ name: 'EventMonitor' });
  await page.streams(1);
  await publish(server, 'ai:jobs:status', 'job', { jobId: 'job_123', status: 'completed' });
  await page.shows('ai:jobs:status');
  await page.shows('"jobId": "job_123"');
});

test('the inspector of the page shows clients, and figures are asked for again', async (t) => {
  const { page } = await start(t);
  await page.show([{ name: 'WebSocketInspector' }, { name: 'ByUrl', props: { url: '/ws' } }]);
  await page.shows('Connected Clients: 1');
  await page.shows('Last Activity: 20');
});

test('the monitor of the page shows connections, streams, throughput, latency and errors', async (t) => {
  const { server, page } = await start(t);
  await page.show([{ name: 'RealtimeMonitor' }, { name: 'EventMonitor' }, { name: 'ByUrl', props: { url: '/ws' } }]);
  await page.shows('WebSocket Connections: 1 of 1;');
  await page.shows('SSE Subscribers: 1;');
  await eventually(async () => {
    await page.click('Ping');
    return (await page.text()).includes('Messages/sec: busy;');
  }, 'messages are counted');
  await page.shows('errors: ;');
  await server.stop('SIGKILL');
  await page.shows('errors: Failed to fetch');
  await server.start();
});

test('the task board of the relay\'s page hears its tasks until it is unmounted', async (t) => {
  const { server, page } = await start(t);
  await page.show({ name: 'TaskBoard' });
  await eventually(async () => (await server.health()).connections === 1, 'it is connected');
  const change = async (method, path, fields) => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${server.url}/api/projects/p/tasks${path}`, { method, headers, body: JSON.stringify(fields) });
    assert.equal(response.ok, true, await response.text());
  };
  await change('POST', '', { id: 't', title: 'Sow' });
  // Until it has joined its project nothing is heard.
  await eventually(async () => {
    await change('PATCH', '/t', { title: 'Reap' });
    return page.logged.some(({ text }) => text.startsWith('updated') && text.includes('Reap'));
  }, 'the task is updated on the page');
  await page.leave();
  await eventually(async () => (await server.health()).connections === 0, 'nothing is left');
  assert.deepEqual(page.complaints, []);
});
