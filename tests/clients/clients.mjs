// The clients that frontends really use, over every transport, behind one small interface.

import assert from 'node:assert/strict';
import { eventually, within } from './wait.mjs';

const PACKAGES = { '2.5': 'sio25', '3.1': 'sio31', '4.0': 'sio40', '4.6': 'sio46', '4.8': 'socket.io-client' };
// `undefined` is what a frontend has that says nothing: polling first, then an upgrade.
const TRANSPORTS = { polling: ['polling'], websocket: ['websocket'], upgrade: undefined };

/** Every client version over every transport, `{label, io, transports, endsOn}`. */
export const MATRIX = [];
for (const [version, name] of Object.entries(PACKAGES)) {
  const module = await import(name);
  const io = module.io ?? module.default; // version 2 exports the function itself
  for (const [transport, transports] of Object.entries(TRANSPORTS)) {
    const endsOn = transport === 'polling' ? 'polling' : 'websocket';
    MATRIX.push({ label: `${version} ${transport}`, io, transports, endsOn });
  }
}

/** The variant with this label. */
export const variant = (label) => MATRIX.find((each) => each.label === label);

/** The newest client over websocket, where client and transport aren't what is tested. */
export const LATEST = variant('4.8 websocket');

// Who comes and goes has no place in the order of events, and a bare cursor is none.
const SIGNAL = /^presence[:_-]?(join|leave|update)$/i;
const CURSOR = /^session[:_-]?cursor$/i;

let fences = 0;

export class Client {
  /** What was heard, in order: `{name, payload, rest}`. */
  events = [];
  /** What was heard of the others' presence, likewise. */
  signals = [];
  /** The arguments of each `session:cursor`. */
  cursors = [];
  connects = 0;
  /** Of each connection after the first: whether the client took it for the session it had. */
  recoveries = [];
  disconnects = [];

  /** Connects to `server`, until that ends with its test. */
  static async connect(server, { io, transports }, options = {}) {
    const client = new Client();
    client.socket = io(server.url, {
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      ...(transports && { transports }),
      ...options,
    });
    server.attach(client.socket);
    client.socket.on('connect', () => {
      client.connects += 1;
      if (client.connects > 1) client.recoveries.push(client.socket.recovered);
    });
    client.socket.on('disconnect', (reason) => client.disconnects.push(reason));
    client.#record();
    await client.connected(1);
    return client;
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** Waits for the `nth` connection, counting the first. */
  async connected(nth) {
    await eventually(() => this.connects >= nth && this.socket.connected, `connection number ${nth}`);
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  /** Emits and answers the ack. */
  call(name, ...args) {
    return within(new Promise((resolve) => this.socket.emit(name, ...args, resolve)), `an ack for ${name}`);
  }

  /** `call` for what must be accepted. */
  async accepted(name, ...args) {
    const reply = await this.call(name, ...args);
    assert.equal(reply.ok, true, `${name} was refused: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** `accepted` for what may be asked twice: an answer that is lost with its connection is asked for on the next one. */
  async repeated(name, ...args) {
    for (;;) {
      let lose;
      const lost = new Promise((resolve) => this.socket.once('disconnect', (lose = () => resolve(null))));
      const answer = this.accepted(name, ...args);
      // Of one that was lost nobody waits to hear that it did not come.
      answer.catch(() => {});
      const reply = await Promise.race([answer, lost]).finally(() => this.socket.off('disconnect', lose));
      if (reply) return reply;
      await eventually(() => this.socket.connected, `the client is back, to ask for ${name} again`);
    }
  }

  async join(projectId) {
    return this.accepted('join:project', projectId);
  }

  /** The project's log: `{event, seq, payload}` of each event. */
  async log(projectId) {
    const log = [];
    for (let more = true; more; ) {
      const page = await this.accepted('project:sync', { projectId, since: log.length });
      assert.equal(page.reset, undefined, 'the whole log is there');
      log.push(...page.events);
      more = page.hasMore;
    }
    return log;
  }

  /** Waits until `count` events were heard. */
  async heard(count) {
    const list = () => `${count} events; heard ${this.events.length}: ${this.events.map(({ name }) => name)}`;
    await eventually(() => this.events.length >= count, list);
    return this.events;
  }

  /**
   * Waits until nothing more can be on its way, and answers all that was heard. An event that must not come can't be
   * awaited, but one that was caused later can.
   */
  async settled() {
    const projectId = `fence-${(fences += 1)}`;
    const isFence = ({ payload }) => payload?.projectId === projectId;
    await this.repeated('join:project', projectId);
    await this.repeated('task:create', { projectId, title: 'fence' });
    await eventually(() => this.events.some(isFence), 'the fence');
    await this.repeated('leave:project', projectId);
    this.events = this.events.filter((event) => !isFence(event));
    return this.events;
  }

  #record() {
    const record = (name, payload, ...rest) => {
      if (CURSOR.test(name)) {
        this.cursors.push([payload, ...rest]);
        return;
      }
      const heard = SIGNAL.test(name) ? this.signals : this.events;
      heard.push({ name, payload, rest });
    };
    if (this.socket.onAny) {
      this.socket.onAny(record);
    } else {
      const { onevent } = this.socket; // version 2 has no catch-all; this is where its packets pass
      this.socket.onevent = function (packet) {
        record(...packet.data);
        onevent.call(this, packet);
      };
    }
  }
}

/** Name and payload of events, to compare what two clients heard. */
export const essence = (events) => events.map(({ name, payload }) => ({ name, payload }));
