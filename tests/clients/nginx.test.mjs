// Two instances on one Postgres and one Redis, behind the nginx that deploy/ ships.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { after, test } from 'node:test';
import { Client, LATEST, MATRIX } from './clients.mjs';
import { Nginx } from './nginx.mjs';
import { Server } from './server.mjs';
import { Plain } from './sockets.mjs';
import { Postgres, Redis } from './services.mjs';
import { eventually, within } from './wait.mjs';

const DEFAULT = MATRIX.find(({ label }) => label === '4.8 upgrade');
const TAG = '0123456789abcdef'.repeat(2);
const MAX_MESSAGE = 4_194_304;

const [postgres, redis] = await Promise.all([Postgres.start({ after }), Redis.start({ after })]);

/** Two instances on an empty database, started at the same time, and nginx in front of them. */
async function start(t, more = {}) {
  const env = { DATABASE_URL: await postgres.database(), REDIS_URL: redis.url, PING_INTERVAL: '500ms', ...more };
  const instances = await Promise.all([Server.start(t, env), Server.start(t, env)]);
  const nginx = await Nginx.start(t, instances.map(({ port }) => port));
  return { instances, nginx };
}

async function connections(server) {
  return (await server.health()).connections;
}

/** `each` clients of every version over every transport, on the transport that they are to end on. */
async function everyKind(nginx, each) {
  const variants = MATRIX.flatMap((variant) => Array(each).fill(variant));
  const clients = await Promise.all(variants.map((variant) => Client.connect(nginx, variant)));
  await arrived(clients, variants);
  return clients;
}

async function arrived(clients, variants) {
  const late = () => variants.filter(({ endsOn }, at) => clients[at].transport !== endsOn).map(({ label }) => label);
  await eventually(() => late().length === 0, () => `the right transport for: ${late()}`);
}

const stayed = ({ connects, disconnects }) => connects === 1 && disconnects.length === 0;

/** Emits and answers the ack; nothing if the connection is another one before. */
function callOrReconnect({ socket }, name, payload) {
  return new Promise((resolve) => {
    const reconnected = () => resolve(undefined);
    socket.once('connect', reconnected);
    socket.emit(name, payload, (reply) => {
      socket.off('connect', reconnected);
      resolve(reply);
    });
  });
}

/** A request whose path is sent as it stands. */
async function raw(nginx, path, { method = 'GET', headers, body, localAddress } = {}) {
  const sent = request({ host: '127.0.0.1', port: nginx.port, path, method, headers, localAddress });
  sent.end(body);
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  return { status: response.statusCode, text };
}

/** Two servers of plain HTTP in the place of instances. */
async function startUpstreams(t, handler) {
  const upstreams = await Promise.all(
    [1, 2].map(async () => {
      const server = createServer(handler).listen(0, '127.0.0.1');
      t.after(() => server.close());
      await once(server, 'listening');
      return server.address().port;
    }),
  );
  return Nginx.start(t, upstreams);
}

test('clients of every kind connect, stay, and hear what is changed on either instance', async (t) => {
  const { instances, nginx } = await start(t);
  const clients = await everyKind(nginx, 3);
  await Promise.all(clients.map((client) => client.join('p1')));

  const heartbeats = clients.map(() => 0);
  clients.forEach(({ socket }, at) => {
    socket.io.engine.on('packet', ({ type }) => (heartbeats[at] += type === 'ping' || type === 'pong'));
  });
  for (const [at, instance] of instances.entries()) {
    const editor = await Client.connect(instance, LATEST);
    await editor.accepted('task:create', { projectId: 'p1', title: `instance ${at}` });
  }
  for (const client of clients) {
    const seen = (await client.heard(2)).map(({ name, payload }) => [name, payload.seq, payload.title]);
    assert.deepEqual(seen, [['task:created', 1, 'instance 0'], ['task:created', 2, 'instance 1']]);
  }
  await eventually(() => heartbeats.every((count) => count >= 3), () => `heartbeats for all: ${heartbeats}`);
  assert.ok(clients.every(stayed), 'nobody lost a connection');
  assert.doesNotMatch(await nginx.log(), /sid=/, 'session ids are in the log');
});

test('forty clients with default transports are spread over both instances', async (t) => {
  const { instances, nginx } = await start(t);
  const clients = await Promise.all(Array.from({ length: 40 }, () => Client.connect(nginx, DEFAULT)));
  await arrived(clients, clients.map(() => DEFAULT));
  const counts = await Promise.all(instances.map(connections));
  assert.equal(counts[0] + counts[1], 40);
  // Fewer than five of forty on one side: once in some million runs.
  assert.ok(Math.min(...counts) >= 5, `${counts}`);
  assert.ok(clients.every(stayed), 'nobody lost a connection');
});

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`${signal}: clients of an instance that ends come back on the other one, and nobody else notices`, async (t) => {
    const { instances: [victim, survivor], nginx } = await start(t);
    const clients = await everyKind(nginx, 2);
    for (const client of clients) {
      await client.join('p1');
      client.joins = 1;
      client.socket.on('connect', () => client.socket.emit('join:project', 'p1', () => (client.joins += 1)));
    }
    const affected = await connections(victim);
    assert.ok(affected > 0 && affected < clients.length, `${affected} of ${clients.length} on one instance`);

    await victim.stop(signal);
    const moved = () => clients.filter(({ joins }) => joins === 2).length;
    await eventually(() => moved() === affected, () => `${affected} clients to come back; ${moved()} did`);
    assert.equal(await connections(survivor), clients.length);
    assert.equal(clients.filter(stayed).length, clients.length - affected);

    const editor = await Client.connect(nginx, DEFAULT);
    await editor.accepted('task:create', { projectId: 'p1', title: 'Still here' });
    for (const client of clients) {
      assert.deepEqual((await client.heard(1)).map(({ payload }) => payload.title), ['Still here']);
    }

    await victim.start();
    const asked = ` /health 200 127.0.0.1:${victim.port} `;
    await eventually(async () => {
      await raw(nginx, '/health');
      return (await nginx.log()).includes(asked);
    }, 'a request to the instance that is back');
  });
}

test('clients of an instance that drains move over by one reconnect, and nothing fails on the way', async (t) => {
  const { instances: [victim, survivor], nginx } = await start(t, { DRAIN_TIME: '2s' });
  const clients = await everyKind(nginx, 2);
  let failures = 0;
  for (const client of clients) {
    await client.join('p1');
    client.socket.on('connect', () => client.socket.emit('join:project', 'p1'));
    client.socket.io.on('reconnect_error', () => (failures += 1));
  }
  const affected = await connections(victim);
  assert.ok(affected > 0 && affected < clients.length, `${affected} of ${clients.length} on one instance`);

  // Everybody goes on working meanwhile. What is lost with a connection is sent once more.
  let draining = true;
  const working = clients.map(async (client, at) => {
    for (let number = 1; draining; number += 1) {
      const task = { projectId: 'p1', taskId: `t${at}`, number, mutationId: `${at}-${number}` };
      let reply;
      do {
        reply = await within(callOrReconnect(client, 'task:update', task), `an ack for ${task.mutationId}`);
      } while (!reply);
      assert.equal(reply.ok, true, JSON.stringify(reply));
    }
  });
  assert.deepEqual(await victim.stop('SIGTERM'), { code: 0, signal: null });
  await eventually(() => clients.every(({ socket }) => socket.connected), 'everybody to be connected');
  draining = false;
  await Promise.all(working);

  assert.equal(await connections(survivor), clients.length);
  assert.equal(clients.filter(stayed).length, clients.length - affected);
  const movedOnce = ({ connects, disconnects }) => connects === 2 && disconnects.length === 1;
  assert.equal(clients.filter(movedOnce).length, affected, 'somebody was sent away twice');
  // Once in 2000 reconnects all tags that nginx tries pick the instance that is leaving.
  assert.ok(failures <= 1, `${failures} failures`);
});

test('a polling request of MAX_MESSAGE passes', async (t) => {
  const { nginx } = await start(t);
  const url = `${nginx.url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  const post = async (body) => (await fetch(`${url}&sid=${sid}`, { method: 'POST', body })).text();
  assert.equal(await post('40'), 'ok');
  // Many small messages fill the request, since a single one has a smaller limit.
  const message = `42["nothing","${'x'.repeat(100_000)}"]\x1e`;
  const count = Math.floor(MAX_MESSAGE / message.length);
  const padding = `42["nothing","${'x'.repeat(MAX_MESSAGE - count * message.length - '42["nothing",""]'.length)}"]`;
  const body = message.repeat(count) + padding;
  assert.equal(body.length, MAX_MESSAGE);
  assert.equal(await post(body), 'ok');
});

test('plain WebSockets are spread over both instances, and hear each other', async (t) => {
  const { instances, nginx } = await start(t);
  const plain = [];
  for (let number = 0; number < 20; number += 1) {
    const path = ['/ws?sessionId=s', '/?sessionId=s', '/ws/?sessionId=s'][number % 3];
    plain.push(Plain.open(t, nginx, path));
    await plain[number].next('connection');
  }
  const counts = await Promise.all(instances.map(connections));
  assert.ok(counts.every((count) => count >= 2), `${counts}`);
  const agent = Plain.open(t, nginx, '/ws/v1');
  await agent.next('connect');
  plain[0].send({ type: 'suggestions', data: { text: 'x' } });
  for (const other of plain.slice(1)) assert.equal((await other.next('suggestions')).text, 'x');
});

test('nothing but the doors and /health is reached from outside', async (t) => {
  const { instances: [instance], nginx } = await start(t);
  assert.equal((await raw(nginx, '/health')).status, 200);
  for (const path of [
    '/admin',
    '/admin/',
    '/admin/connections?x=1',
    '//admin',
    '/%61dmin/',
    '/health/../admin',
    '/socket.io/../admin/x',
    '/socket.io/%2e%2e/admin',
    '/ready',
    '/',
    '/ws',
  ]) {
    const { status, text } = await raw(nginx, path);
    // Boardcast answers in JSON, what is not there included.
    assert.match((await raw(instance, path)).text, /^\{/);
    assert.deepEqual([status, text.includes('<center>nginx</center>')], [404, true], `${path}: ${text}`);
  }
});

test('instances see session ids without tags, and who asks', async (t) => {
  const nginx = await startUpstreams(t, ({ url, headers }, response) => response.end(JSON.stringify({ url, headers })));
  const seen = async (path, headers) => JSON.parse((await raw(nginx, path, { headers })).text);

  for (const [sent, arrived] of [
    [`EIO=4&transport=polling&t=1&sid=${TAG}.abc`, 'EIO=4&transport=polling&t=1&sid=abc'],
    [`sid=${TAG}.abc&EIO=4`, 'sid=abc&EIO=4'],
    ['EIO=3&sid=abc', 'EIO=3&sid=abc'],
    [`EIO=4&sid=${TAG}`, `EIO=4&sid=${TAG}`],
  ]) {
    assert.equal((await seen(`/socket.io/?${sent}`)).url, `/socket.io/?${arrived}`);
  }
  const direct = (await seen('/health', { host: 'board.example:8002' })).headers;
  assert.deepEqual(
    [direct.host, direct['x-forwarded-for'], direct['x-forwarded-proto']],
    ['board.example:8002', '127.0.0.1', 'http'],
  );
  const relayed = (await seen('/health', { 'x-forwarded-for': '10.1.2.3', 'x-forwarded-proto': 'https' })).headers;
  assert.deepEqual([relayed['x-forwarded-for'], relayed['x-forwarded-proto']], ['10.1.2.3, 127.0.0.1', 'https']);
});

test('what an instance declines goes to the other one, body and all, and stays there', async (t) => {
  const asked = [];
  let leaving;
  const nginx = await startUpstreams(t, async (incoming, response) => {
    const { localPort } = incoming.socket;
    leaving ??= localPort;
    asked.push(localPort);
    let body = '';
    for await (const part of incoming) body += part;
    response.statusCode = localPort === leaving ? 503 : 200;
    response.setHeader('content-type', 'text/plain');
    response.end(`${JSON.stringify({ sid: 'abc' })}${incoming.method} ${body}`);
  });

  const opened = await raw(nginx, '/socket.io/?EIO=4');
  assert.equal(opened.status, 200);
  const [, sid] = opened.text.match(/"sid":"([0-9a-f]{32}0+\.abc)"/);
  assert.equal(asked[0], leaving);
  asked.length = 0;
  for (let request = 0; request < 3; request += 1) {
    const { status, text } = await raw(nginx, `/socket.io/?EIO=4&sid=${sid}`, { method: 'POST', body: '40' });
    assert.deepEqual([status, text], [200, '{"sid":"abc"}POST 40']);
  }
  assert.ok(!asked.includes(leaving), 'the session has moved');

  // Without a tag of its own, a session of version 2 is looked for wherever its address leads.
  const old = await raw(nginx, '/socket.io/?EIO=3&sid=abc', { method: 'POST', body: '2:40' });
  assert.deepEqual([old.status, old.text], [200, '{"sid":"abc"}POST 2:40']);
});

test('instances see who the client is, whatever it says', async (t) => {
  const { nginx } = await start(t, { TRUSTED_PROXIES: '127.0.0.1', MAX_CONNECTIONS_PER_IP: '1' });
  const from = async (localAddress, said) => {
    const headers = { 'X-Forwarded-For': said };
    return (await raw(nginx, '/socket.io/?EIO=4&transport=polling', { localAddress, headers })).status;
  };
  for (const address of ['127.0.0.2', '127.0.0.3']) {
    const statuses = [];
    for (let number = 0; number < 8; number += 1) statuses.push(await from(address, `198.51.100.${number}, 127.0.0.1`));
    // One on each instance that was asked.
    const letIn = statuses.filter((status) => status === 200).length;
    assert.ok(letIn === 1 || letIn === 2, `${statuses}`);
    assert.equal(statuses.filter((status) => status === 429).length, 8 - letIn);
  }
});

test('who comes too fast is told so, and not sent to another instance', async (t) => {
  let asked = 0;
  const nginx = await startUpstreams(t, (_, response) => {
    asked += 1;
    response.writeHead(429).end('slower');
  });
  assert.deepEqual(await raw(nginx, '/socket.io/?EIO=4'), { status: 429, text: 'slower' });
  assert.equal(asked, 1);
});

test('a POST that was sent is not repeated, anything else is', async (t) => {
  const methods = [];
  const nginx = await startUpstreams(t, (incoming) => {
    methods.push(incoming.method);
    incoming.resume().on('end', () => incoming.socket.destroy());
  });
  for (const method of ['POST', 'GET']) {
    const body = method === 'POST' ? '42["task:create"]' : undefined;
    assert.equal((await raw(nginx, `/socket.io/?EIO=4&sid=${TAG}.abc`, { method, body })).status, 502);
  }
  assert.deepEqual(methods, ['POST', 'GET', 'GET']);
});
