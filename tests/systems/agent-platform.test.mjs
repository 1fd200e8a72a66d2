// d-agent-platform.md: agents at work, and a dashboard that watches them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from '../clients/server.mjs';
import { Plain } from '../clients/sockets.mjs';
import { within } from '../clients/wait.mjs';
import { get } from './backend.mjs';
import { assertShown } from './match.mjs';
import { example, snippet } from './snippets.mjs';

const page = (name) => `d-agent-platform/${name}`;

/** A connection that has been greeted. */
async function connect(t, server) {
  const plain = Plain.open(t, server, '/ws/v1');
  await plain.next('connect');
  return plain;
}

test('event examples: taken as they stand, and heard with their id and timestamp', async (t) => {
  const server = await Server.start(t);
  const [agent, watcher] = [await connect(t, server), await connect(t, server)];
  watcher.send({ id: 's', type: 'subscribe', timestamp: Date.now(), data: { agentId: 'coder-001', events: ['status'] } });
  assert.equal((await watcher.next('subscription_update')).data.status, 'active');
  watcher.send({ id: 't', type: 'subscribe', timestamp: Date.now(), data: { resource: 'tdd' } });
  await watcher.next('subscription_update');
  for (const name of ['03-agent-status.json', '04-tdd-phase-change.json']) {
    const event = example(page(name));
    const metadata = { version: '1.0', source: 'coder', correlationId: 'c-1' };
    agent.send({ ...event, metadata });
    assert.equal((await agent.next('ack')).data.ok, true);
    const heard = await watcher.next(event.type);
    assert.deepEqual([heard.id, heard.timestamp, heard.data], [event.id, event.timestamp, event.data]);
    assertShown(heard.metadata, metadata);
  }
});

test('message format: everything that the server says has the documented members', async (t) => {
  const server = await Server.start(t);
  const plain = Plain.open(t, server, '/ws/v1');
  await within(new Promise((resolve) => plain.on('open', resolve)), 'a connection');
  const ask = (type, data) => plain.send({ id: `q-${type}`, type, timestamp: Date.now(), data });
  ask('ping', {});
  ask('auth_request', { token: 'any' });
  ask('subscribe', { resource: 'workflow:w1' });
  ask('agent_status', { agentId: 'a1', status: 'idle' });
  // What is refused without an id that could be answered.
  plain.send({ type: 'nonsense type', timestamp: Date.now(), data: {} });
  const types = ['connect', 'pong', 'auth_success', 'subscription_update', 'ack', 'error', 'workflow_started'];
  const members = [...snippet(page('02-message-format.ts')).matchAll(/^  (\w+): (\w+);$/gm)];
  const typed = { string: 'string', MessageType: 'string', number: 'number', any: 'object' };
  const agent = await connect(t, server);
  for (const type of types) {
    // Nobody hears what they say themselves; the subscription is there by then.
    if (type === 'workflow_started') agent.send({ id: 'w', type, timestamp: Date.now(), data: { workflowId: 'w1' } });
    const message = await plain.next(type);
    for (const [, name, is] of members) assert.equal(typeof message[name], typed[is], `${name} of ${type}`);
    assert.deepEqual(Object.keys(message).sort(), ['data', 'id', 'metadata', 'timestamp', 'type'], type);
    assert.equal(typeof message.metadata.version, 'string');
  }
});

test('schemas: every type of the page that carries data has one', async (t) => {
  const server = await Server.start(t);
  const { types } = await get(server, '/api/schemas');
  const events = [
    'agent_status agent_task_update agent_log agent_metric agent_error tdd_phase_change test_result coverage_update',
    'workflow_started workflow_step_complete workflow_complete workflow_failed system_notification system_alert',
    'deployment_status github_issue_update github_pr_update github_workflow_update',
    'auth_request subscribe unsubscribe',
  ];
  const missing = events.flatMap((line) => line.split(' ')).filter((type) => !types.includes(type));
  assert.deepEqual(missing, []);
});
