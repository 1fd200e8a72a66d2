// Plain WebSockets with `ws`, as the systems that were there before use it.

import WebSocket from 'ws';
import { eventually } from './wait.mjs';

/** A connection that keeps what it hears. */
export class Plain {
  heard = [];
  closed;
  #socket;

  static open(t, server, path, options = {}) {
    const plain = new Plain();
    plain.#socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, options);
    plain.#socket.on('message', (data) => plain.heard.push(JSON.parse(data)));
    plain.#socket.on('close', (code, reason) => (plain.closed = { code, reason: String(reason) }));
    plain.#socket.on('error', (error) => (plain.closed ??= { error: error.message }));
    t.after(() => plain.#socket.terminate());
    return plain;
  }

  send(message) {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The first message of a type that was not asked for yet, once it is there. */
  async next(type) {
    const at = await eventually(() => {
      const found = this.heard.findIndex((message) => message.type === type);
      return found >= 0 && { found };
    }, `a message ${type}; there are ${JSON.stringify(this.heard)}`);
    return this.heard.splice(at.found, 1)[0];
  }

  /** Cuts the connection without a word. */
  cut() {
    this.#socket.terminate();
  }

  close(code) {
    this.#socket.close(code);
  }

  on(event, listener) {
    this.#socket.on(event, listener);
  }
}

/** Publishes as a backend does: through a connection of its own, on any channel. */
export async function publish(t, server, channel, type, data) {
  const backend = Plain.open(t, server, '/ws/v1');
  await backend.next('connect');
  backend.send({ id: 'p', type, timestamp: Date.now(), data, metadata: { version: '1.0', source: 'backend', resource: channel } });
  const ack = await backend.next('ack');
  backend.cut();
  if (!ack.data.ok) throw new Error(JSON.stringify(ack));
}
