// Each frontend of fixtures/frontends, with the dialect of its name: two windows, as socket.io-client opens them. One sends what
// the frontend sends. The other one loses its connection on the way, the server is killed, and both come back: what the second
// one has then heard of logged events is what it hears without all that, in the same order, each once.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { Server } from './server.mjs';
import { tokenOf } from './tokens.mjs';
import { eventually, within } from './wait.mjs';

const FACTS = new URL('../../fixtures/frontends/', import.meta.url);
const DIALECTS = new URL('../../dialects/', import.meta.url);
const SECRET = 'a secret of thirty-two characters';
// An event of a log is followed by the cursor after it.
const CURSOR = /^[0-9a-f]+~[\w-]+\.[0-9]+:[0-9]+/;
const FENCE = 'test:fence';
const ROOM_KEYS = ['projectId', 'boardId', 'roomId'];
const ENTERS = /join|subscribe/i;
// What these send is told to those who are there, or to nobody; their backend causes what is in logs.
const NOTHING_LOGGED = ['ai-dev-collaboration-platform', 'quan-tri-du-an', 'task-management-app'];

const isToken = (name, value) => /token$/i.test(name) || /^jwt|^bearer/i.test(value);

/** A window of a user. */
class Window {
  /** The events of logs that it heard, `{name, payload}`, on all its namespaces, each once. */
  logged = [];
  fences = 0;
  connects = 0;
  recoveries = [];

  constructor(server, facts, user) {
    const { namespace = '/', auth, query, path } = facts.connect;
    const shown = (from) =>
      Object.fromEntries(
        Object.entries(typeof from === 'object' && from !== null ? from : {}).map(([name, value]) => [
          name,
          isToken(name, value) ? tokenOf(user, 3600, SECRET) : user,
        ]),
      );
    this.sockets = [namespace].flat().map((name) =>
      io(name === '/' ? server.url : server.url + name, {
        auth: shown(auth),
        query: shown(query),
        ...(path?.startsWith('/') && { path }),
        multiplex: false,
        transports: ['websocket'],
        reconnectionDelay: 50,
        reconnectionDelayMax: 200,
      }),
    );
    this.socket = this.sockets[0];
    for (const socket of this.sockets) server.attach(socket);
    this.socket.on('connect', () => {
      this.connects += 1;
      if (this.connects > 1) this.recoveries.push(this.socket.recovered);
    });
    this.socket.onAny((name, ...args) => {
      if (name === FENCE) this.fences += 1;
      else if (typeof args.at(-1) === 'string' && CURSOR.test(args.at(-1)) && args.length > 1) {
        this.logged.push({ name, payload: args[0] });
      }
    });
  }

  async connected(nth = 1) {
    const are = () => this.connects >= nth && this.sockets.every(({ connected }) => connected);
    await eventually(are, `connection number ${nth}`);
  }

  /** Sends, and waits until the server has taken it; answers the ack. */
  async send(name, args) {
    const ack = new Promise((resolve) => this.socket.emit(name, ...args, resolve));
    return within(ack, `an ack for ${name}`);
  }

  close() {
    for (const socket of this.sockets) socket.close();
  }
}

/** The room of which the frontend speaks, as a channel. */
function channelOf(facts, dialect, user) {
  const standing = dialect.match(/^default = "([^"]+)"\njoin = true/m)?.[1];
  const [, first] = facts.joins[0] ?? [];
  const named = typeof first === 'string' ? first : ROOM_KEYS.map((key) => first?.[key]).find(Boolean);
  const room = named ?? standing;
  return room ? `project:${room}` : `user:${user}`;
}

/** A payload without what is another one each time: times, and ids that the server makes. */
function essence(value) {
  if (Array.isArray(value)) return value.map(essence);
  if (typeof value === 'string') {
    return value
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/^anonymous:.+/, 'SOMEBODY')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID');
  }
  if (typeof value !== 'object' || value === null) return value;
  // Who caused it goes by another connection after a restart.
  const entries = Object.entries(value).filter(([key]) => !/^socketId$|^connectionId$/.test(key));
  return Object.fromEntries(entries.map(([key, inner]) => [key, essence(inner)]));
}

const asB = (value) => JSON.parse(JSON.stringify(value).replaceAll('ua-', 'ub-'));

/**
 * Plays the frontend. `disturb(index, windows)` is called before each message, and what it answers after the message was taken.
 * Answers what B heard of logs, and how much of it after each message.
 */
async function play(t, facts, dialectFile, disturb) {
  const dialect = readFileSync(dialectFile, 'utf8');
  const shows = [facts.connect.auth, facts.connect.query].filter((from) => from && typeof from === 'object');
  const verifies = shows.some((from) => Object.entries(from).some(([name, value]) => isToken(name, value)));
  const server = await Server.start(t, {
    DIALECTS: fileURLToPath(dialectFile),
    EVENT_STYLE: facts.settings.eventStyle,
    ...(verifies && { AUTH_SECRET: SECRET }),
  });
  const userA = JSON.stringify(facts).match(/ua-\w+/)?.[0] ?? 'ua-test';
  const userB = asB(userA);
  const b = new Window(server, facts, userB);
  await b.connected();
  const joins = facts.joins.map(([event, ...args]) => ({ event, args }));
  const entering = facts.emits.filter(({ event }) => ENTERS.test(event));
  for (const { event, args } of [...joins, ...entering]) await b.send(event, asB(args));
  const a = new Window(server, facts, userA);
  await a.connected();

  const channel = channelOf(facts, dialect, userB);
  const fence = async () => {
    // What is sent after it is taken after it, with all that it makes the server tell.
    await a.send('unsubscribe', [{ channel: 'test-fence' }]);
    const before = b.fences;
    const answer = await fetch(`${server.url}/api/publish`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ channel, type: FENCE, data: {} }),
    });
    assert.equal(answer.status, 201, await answer.text());
    return () => eventually(() => b.fences > before, `the fence on ${channel}; heard ${JSON.stringify(b.logged)}`);
  };

  const counts = [];
  const first = facts.emits.findIndex(({ event }) => /leave/i.test(event));
  for (const [index, { event, args }] of facts.emits.entries()) {
    // A stays in the room, so that what it sends goes on to mean something.
    if (index === first) break;
    const away = await disturb(index, { a, b, server });
    await a.send(event, args);
    const passed = await fence();
    await away?.();
    await passed();
    counts.push(b.logged.length);
  }
  const { recoveries } = b;
  for (const window of [a, b]) window.close();
  return { logged: b.logged, counts, recoveries };
}

for (const file of readdirSync(FACTS).filter((name) => name.endsWith('.json'))) {
  const name = file.replace('.json', '');
  test(`frontend ${name}`, async (t) => {
    const facts = JSON.parse(readFileSync(new URL(file, FACTS), 'utf8'));
    const dialect = new URL(`${name}.toml`, DIALECTS);
    const undisturbed = await play(t, facts, dialect, () => {});
    assert.equal(undisturbed.logged.length === 0, NOTHING_LOGGED.includes(name), 'something is in a log');
    // The message in the middle of those that go to the log, if there are any.
    const { counts } = undisturbed;
    const logging = counts.flatMap((count, index) => (count > (counts[index - 1] ?? 0) ? [index] : []));
    const middle = (logging[Math.floor(logging.length / 2)] ?? 0);
    const disturbed = await play(t, facts, dialect, async (index, { a, b, server }) => {
      if (index !== middle) return undefined;
      // B is away while A goes on, the server dies, and both come back.
      b.socket.io.reconnection(false);
      b.socket.io.engine.close();
      await eventually(() => !b.socket.connected, 'B is away');
      return async () => {
        await server.stop('SIGKILL');
        await server.start();
        await a.connected(2);
        b.socket.io.reconnection(true);
        b.socket.connect();
        await b.connected(2);
      };
    });
    assert.deepEqual(disturbed.recoveries, [true], 'B goes on where it was');
    assert.deepEqual(essence(disturbed.logged), essence(undisturbed.logged));
  });
}
