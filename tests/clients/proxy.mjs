// The network between clients and a server, which a test can break: TCP on loopback, passed on as it comes.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { eventually } from './wait.mjs';

export class Proxy {
  #connections = new Set();
  #listener;
  #mode = 'open';
  #sockets = [];

  /** Starts a proxy in front of `target`, whatever has a port; it ends with `scope`. */
  static async start(scope, target) {
    const proxy = new Proxy();
    proxy.target = target;
    // Half open, because the end of one direction is passed on as it comes, too.
    proxy.#listener = createServer({ allowHalfOpen: true }, (socket) => proxy.#accept(socket));
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    scope.after(() => proxy.#stop());
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#listener.address().port}`;
  }

  /** Closes `socket` when the proxy ends. */
  attach(socket) {
    this.#sockets.push(socket);
  }

  /** Cuts all connections, and answers whether there were any; new ones are passed on. */
  cut() {
    return this.#cut([...this.#connections]);
  }

  /** Cuts one connection, if there is one. */
  cutOne(random) {
    return this.#cut(this.#connections.size > 0 ? [random.pick([...this.#connections])] : []);
  }

  /** Cuts all connections, and new ones at once, until `open`. */
  block() {
    this.#mode = 'blocked';
    this.cut();
  }

  /** `client` cannot connect while `act` runs, and is back after it. */
  async away(client, act = async () => {}) {
    const { connects } = client;
    // A client whose transport is cut while it leaves polling for it notices at its ping timeout only.
    await eventually(() => !client.socket.io.engine.upgrading, 'the transport is settled');
    this.block();
    await eventually(() => !client.socket.connected, 'the client to notice');
    await act();
    this.open();
    await client.connected(connects + 1);
  }

  /** From now on nothing passes, and neither end is told: not of the other's end, either. */
  freeze() {
    this.#mode = 'frozen';
    for (const connection of this.#connections) connection.freeze();
  }

  /** New connections are passed on again. What was frozen stays frozen. */
  open() {
    this.#mode = 'open';
  }

  #accept(client) {
    const connection = new Connection(client, this.target.port, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    if (this.#mode === 'blocked') connection.destroy();
    if (this.#mode === 'frozen') connection.freeze();
  }

  #cut(connections) {
    for (const connection of connections) connection.destroy();
    return connections.length > 0;
  }

  #stop() {
    for (const socket of this.#sockets) socket.close();
    this.#listener.close();
    this.cut();
  }
}

class Connection {
  #ends;
  #frozen = false;
  #onEnd;

  constructor(client, port, onEnd) {
    const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    this.#ends = [client, server];
    this.#onEnd = onEnd;
    for (const end of this.#ends) {
      end.on('error', () => {}); // 'close' follows
      end.on('close', () => this.#frozen || this.destroy());
    }
    client.pipe(server);
    server.pipe(client);
  }

  destroy() {
    for (const end of this.#ends) end.destroy();
    this.#onEnd();
  }

  freeze() {
    this.#frozen = true;
    for (const end of this.#ends) {
      end.unpipe();
      end.pause();
    }
  }
}
