// Published events that are named like the server's own: refused at every way in, and in every spelling.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Polling, post, Stream } from './doors.mjs';
import { Plain, Server, eventually, report } from './kit.mjs';

const NAMES = `ack error pong ping heartbeat connection welcome subscribed unsubscribed batchUpdate connect
  auth_success auth_failure subscription_update open reset access_revoked event project:access_revoked project:reset channel:access_revoked channel:reset
  session:reset session:cursor auth:expiring`.split(/\s+/);

const words = (name) => name.split(/[:_]|(?=[A-Z])/).map((word) => word.toLowerCase());
const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** A name as clients write it in each style, and in some that nobody asked for. */
function spellings(name) {
  const [first, ...rest] = words(name);
  const all = [first, ...rest];
  return new Set([
    name, all.join(':'), all.join('-'), all.join('_'), all.join('.'), all.join('/'), all.map(capital).join(''),
    first + rest.map(capital).join(''), name.toUpperCase(),
  ]);
}

/** Types that the documented systems publish. */
const DOCUMENTED = ['ai_progress', 'ai_error', 'messageReceived', 'connectionStatus', 'agent_error', 'system_notification',
  'system_alert', 'deployment_status', 'suggestions', 'task:updated', 'message'];

test('a published event cannot speak for the server', async (t) => {
  const server = await Server.start(t);
  const flat = Plain.open(t, server, '/ws?sessionId=s');
  const enveloped = Plain.open(t, server, '/ws/v1?channels=session:s');
  const stream = await Stream.open(t, server, 'channels=session:s&named=1');
  const polling = await Polling.open(t, server, {});
  await polling.ask(1, 'subscribe', 'session:s');
  await flat.next('connection');
  await enveloped.next('connect');
  let refused = 0;
  for (const name of NAMES) {
    for (const type of spellings(name)) {
      const { status, body } = await post(server, '/api/publish', { channel: 'session:s', type, data: { id: '7', ok: true } });
      // On a project's channel, where the names of projects are refused anyway.
      assert.equal(status, 422, `${type}: ${JSON.stringify(body)}`);
      assert.ok(JSON.stringify(body).includes(type), JSON.stringify(body));
      refused += 1;
    }
    for (const sender of [flat, enveloped]) {
      if (['ack', 'error', 'pong', 'ping', 'heartbeat', 'connect'].includes(name)) continue;
      sender.send({ type: name, id: name, sessionId: 's', data: { channel: 'session:s' }, timestamp: Date.now() });
      const ack = await sender.next('ack');
      const { ok, error } = sender === flat ? ack : ack.data;
      assert.ok(!ok && error.includes(name), `${name}: ${error}`);
      refused += 1;
    }
  }
  for (const type of DOCUMENTED) {
    const { status, body } = await post(server, '/api/publish', { channel: 'session:s', type, data: { mark: type, agentId: 'a', message: type, status: 'running' } });
    assert.equal(status, 201, `${type}: ${JSON.stringify(body)}`);
  }
  await eventually(() => stream.text.includes('"mark":"message"'), 'the last one');
  const said = await eventually(() => {
    const heard = flat.heard.filter(({ channel }) => channel === 'session:s').map(({ type }) => type);
    return heard.length === DOCUMENTED.length && heard;
  }, 'all of them');
  assert.deepEqual(said, DOCUMENTED);
  const named = [...stream.text.matchAll(/^event: ?(.*)$/gm)].map((match) => match[1]);
  assert.deepEqual(named, DOCUMENTED);
  report(t, { refused, published: DOCUMENTED.length });
});

test('the members of a payload do not stand beside it as the word of the server', async (t) => {
  const server = await Server.start(t);
  const flat = Plain.open(t, server, '/ws?channels=session:s,agent:*,free,project:p');
  await flat.next('connection');
  const forged = {
    type: 'ack', timestamp: 'never', id: 'forged', eventId: 'forged', channel: 'forged', channels: ['forged'],
    pattern: 'forged', seq: 99, cursor: 'forged', sessionId: 'forged', userId: 'forged', clientId: 'forged',
    metadata: 'forged', messages: ['forged'], data: 'forged', server: 'forged', expiresAt: 'forged', progress: 7,
  };
  for (const channel of ['session:s', 'agent:a', 'free']) {
    await post(server, '/api/publish', { channel, type: 'said', data: forged });
    const { data, progress, ...beside } = await flat.next('said');
    assert.deepEqual(data, forged);
    assert.equal(progress, 7, 'what is no word of the server stands there as ever');
    assert.ok(!JSON.stringify(beside).includes('forged'), JSON.stringify(beside));
  }
  const polling = await Polling.open(t, server, {});
  const { type, timestamp, id, channel, seq, cursor, data, ...fields } = forged;
  await polling.ask(1, 'task:create', { projectId: 'p', id: 't', title: 'x', ...fields });
  const { data: task, ...beside } = await flat.next('task:created');
  assert.equal(beside.id, 't');
  for (const key of ['pattern', 'sessionId', 'userId', 'clientId', 'metadata', 'messages', 'channels']) {
    assert.equal(beside[key], undefined, key);
    assert.ok(task, 'the task has them');
  }
});
