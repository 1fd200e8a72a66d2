// socketio-service.md: the relay. The page's own server runs beside Boardcast, and its clients cannot tell them apart.

import assert from 'node:assert/strict';
import { createServer, Server as HttpServer } from 'node:http';
import { test } from 'node:test';
import { Server } from '../clients/server.mjs';
import { eventually, within } from '../clients/wait.mjs';
import { assertShown } from './match.mjs';
import { Application, installed, ours, snippet } from './snippets.mjs';

const { io } = installed('socket.io-client');

/** As much of express as the page's server uses. */
function express() {
  const routes = new Map();
  const app = (request, response) => {
    response.json = (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    (routes.get(`${request.method} ${request.url}`) ?? (() => response.writeHead(404).end()))(request, response);
  };
  return Object.assign(app, { use() {}, get: (path, handle) => routes.set(`GET ${path}`, handle) });
}

/** Starts the server of the page's second option. */
async function pageServer(t) {
  const packages = {
    'socket.io': installed('socket.io'),
    express: { default: express },
    http: { createServer },
    cors: { default: () => {} },
  };
  const globals = { process: { env: { PORT: '0' } } };
  const page = new Application(t, { url: 'http://127.0.0.1', port: 0 }, { packages, globals });
  page.run('socketio-service/03-service.ts');
  t.after(() => page.evaluate('io.close()'));
  await eventually(() => page.calls.first('log').some((line) => line.includes('running on port')), 'the page\'s server');
  return `http://127.0.0.1:${page.evaluate('httpServer.address().port')}`;
}

/** Starts the server of the page's first option: `GET` of its route makes one. */
async function routeServer(t) {
  let started;
  const anyPort = () => {
    started = createServer();
    return Object.assign(started, { listen: () => HttpServer.prototype.listen.call(started, 0, '127.0.0.1') });
  };
  const packages = { 'socket.io': installed('socket.io'), http: { createServer: anyPort } };
  const page = new Application(t, { url: 'http://127.0.0.1', port: 0 }, { packages, globals: { Response } });
  page.run('socketio-service/01-next-route.ts');
  assert.equal(await (await page.evaluate('exports.GET()')).text(), 'WebSocket server running');
  t.after(() => page.evaluate('io.close()'));
  await eventually(() => started.listening, 'the page\'s server');
  return `http://127.0.0.1:${started.address().port}`;
}

async function connect(t, url) {
  const socket = io(url, { forceNew: true });
  t.after(() => socket.close());
  const heard = [];
  socket.onAny((name, payload) => heard.push([name, payload]));
  await within(new Promise((resolve) => socket.on('connect', resolve)), 'a connection');
  return { socket, heard };
}

const SENT = [
  ['task:create', { projectId: '123', id: '456', title: 'Paint' }],
  ['task:update', { projectId: '123', taskId: '456', status: 'completed' }],
  ['epic:update', { projectId: '123', epicId: 'e', name: 'Spring' }],
  ['task:update', { projectId: '123', taskId: '456', anything: { at: ['all'] } }],
];

/** Events that Boardcast says besides; clients of the page do not listen to them. */
const ADDED = /^(session:cursor|presence:.*|task:status_changed)$/;

/** What a client in the room and one outside hear of `SENT`. */
async function play(t, url, last) {
  const [sender, mate, outsider] = await Promise.all([1, 2, 3].map(() => connect(t, url)));
  const health = await (await fetch(`${url}/health`)).json();
  mate.socket.emit('join:project', '123');
  sender.socket.emit('join:project', '123');
  // The page's server answers nothing, so that both are in the room is only known by what they hear.
  const probe = { projectId: '123', taskId: 'probe', title: 'probe' };
  const inRoom = ({ heard }) => heard.some(([, { taskId }]) => taskId === 'probe');
  await eventually(() => {
    sender.socket.emit('task:update', probe);
    return inRoom(mate) && inRoom(sender);
  }, 'both in the room');
  for (const [name, payload] of SENT) sender.socket.emit(name, payload);
  await eventually(() => [mate, sender].every(({ heard }) => heard.some(([, payload]) => last(payload))), 'the last event');
  const without = ({ heard }) => heard.filter(([, { taskId }]) => taskId !== 'probe');
  return { health, mate: without(mate), sender: without(sender), outsider: without(outsider) };
}

test('whoever hears the page\'s server hears the same of Boardcast', async (t) => {
  const server = await Server.start(t);
  const last = ({ anything }) => anything !== undefined;
  const relay = await play(t, await pageServer(t), last);
  const ours = await play(t, server.url, last);
  assert.deepEqual(relay.mate.map(([name]) => name), ['task:created', 'task:updated', 'epic:updated', 'task:updated']);
  for (const who of ['mate', 'sender']) {
    const events = ours[who].filter(([name]) => !ADDED.test(name));
    assert.deepEqual(events.map(([name]) => name), relay[who].map(([name]) => name));
    for (const [index, [name, payload]] of relay[who].entries()) {
      const same = Object.fromEntries(Object.keys(payload).map((key) => [key, events[index][1][key]]));
      assert.deepEqual(same, payload, `${name} for the ${who}`);
    }
  }
  assert.deepEqual(ours.outsider.filter(([name]) => !ADDED.test(name)), relay.outsider);
  assert.deepEqual([ours.health.status, ours.health.connections], [relay.health.status, relay.health.connections]);
});

test('option 1: visited once, it says that it runs', async (t) => {
  const server = await Server.start(t);
  const [, text, status] = snippet('socketio-service/01-next-route.ts').match(/new Response\('([^']+)', \{ status: (\d+) \}\)/);
  const response = await fetch(`${server.url}/api/socketio`);
  assert.deepEqual([response.status, await response.text()], [Number(status), text]);
});

test('WebSocketService example: what it sends comes back as an event', async (t) => {
  const server = await Server.start(t);
  const { WebSocketService } = ours('typescript');
  // Host and port apart.
  class Service extends WebSocketService {
    constructor() {
      super(server.url);
    }
  }
  const packages = { '@/services/websocket.service': { WebSocketService: Service } };
  const application = new Application(t, server, { packages });
  application.run('socketio-service/04-use-service.ts');
  t.after(() => application.evaluate('ws.disconnect()'));
  const { calls } = application;
  await eventually(() => calls.of('log').length, 'the event');
  const [text, task] = calls.of('log')[0];
  assert.equal(text, 'Task updated:');
  assertShown(task, { projectId: '123', taskId: '456', status: 'completed' });
});

/** What the others hear of `task:update` where nobody has joined anything. */
async function withoutRooms(t, url) {
  const [sender, one, other] = await Promise.all([1, 2, 3].map(() => connect(t, url)));
  for (const [name, payload] of SENT.filter(([name]) => name === 'task:update')) sender.socket.emit(name, payload);
  const events = ({ heard }) => heard.filter(([name]) => !ADDED.test(name));
  await eventually(() => [one, other].every((client) => events(client).length === 2), 'both updates');
  return events(one).map(([name, { taskId, status, anything }]) => [name, taskId, status, anything]);
}

test('option 1: whoever hears the page\'s server without rooms hears the same of the dialect broadcast', async (t) => {
  const server = await Server.start(t, { DIALECTS: 'broadcast' });
  const relay = await withoutRooms(t, await routeServer(t));
  assert.deepEqual(relay.map(([name]) => name), ['task:updated', 'task:updated']);
  const ours = await withoutRooms(t, server.url);
  // What was said of the task before is there, too.
  for (const [index, said] of relay.entries()) {
    said.forEach((value, at) => value === undefined || assert.deepEqual(ours[index][at], value));
  }
});
