// Runs the real binary for one test: in a directory of its own, on a free port, on the embedded default database.
// A restart keeps directory and port, so that a client can find its way back.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, within } from './wait.mjs';

const BINARY = process.env.BOARDCAST_BIN ?? fileURLToPath(new URL('../../target/debug/boardcast', import.meta.url));
const LOG_KEPT = 16_384;

export class Server {
  #child;
  #directory;
  #env;
  #log = '';
  #logged = 0;
  #sockets = [];
  port = 0;

  /** Starts a server that ends with the test `t`; `env` goes over the defaults. */
  static async start(t, env = {}) {
    const server = new Server();
    server.#directory = await mkdtemp(join(tmpdir(), 'boardcast-'));
    server.#env = env;
    t.after(() => server.#dispose());
    await server.start();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The process id, for those who look at its memory. */
  get pid() {
    return this.#child.pid;
  }

  /** Closes `socket` when the server ends, so that it doesn't go on looking for it. */
  attach(socket) {
    this.#sockets.push(socket);
  }

  /** Starts the process, again after `stop`: on the same port, with the same database. */
  async start() {
    this.#log = '';
    this.#child = spawn(BINARY, ['serve'], {
      cwd: this.#directory,
      // Not the whole environment: a developer's DATABASE_URL is no place for tests.
      env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(this.port), LOG_FORMAT: 'json', ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.on('error', (error) => (this.#log += `${BINARY}: ${error.message}`));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#log = (this.#log + text).slice(-LOG_KEPT);
        this.#logged += text.length;
      });
    }
    const address = await eventually(
      () => this.#log.match(/"address":\s*"([^"]+)"/)?.[1] ?? (this.#running() ? null : this.#fail('did not start')),
      'the server says that it listens',
    );
    this.port = Number(address.split(':').pop());
  }

  /** The last lines of the log. */
  get log() {
    return this.#log;
  }

  /** The bytes that were logged since the start, standard error included. */
  get logged() {
    return this.#logged;
  }

  /** Reads no more of the log, as a collector that hangs; `goOn` reads on. */
  stallLog() {
    this.#child.stdout.pause();
    this.#child.stderr.pause();
    return { goOn: () => (this.#child.stdout.resume(), this.#child.stderr.resume()) };
  }

  /** What `/health` says. */
  async health() {
    return (await fetch(`${this.url}/health`)).json();
  }

  /** Takes the database away from a server that is stopped; the next start makes another one. */
  async forget() {
    await rm(this.#directory, { recursive: true });
    await mkdir(this.#directory);
  }

  /** Sends `signal` and does not wait. */
  signal(signal) {
    this.#child.kill(signal);
  }

  /** Sends `signal` and waits for the end; answers how it ended. */
  async stop(signal) {
    const child = this.#child;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [code, by] = await within(ended, `the server ends on ${signal}`);
    this.#child = undefined;
    return { code, signal: by };
  }

  #running() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #fail(what) {
    throw new Error(`the server ${what}; its last words:\n${this.#log}`);
  }

  async #dispose() {
    for (const socket of this.#sockets) socket.close();
    try {
      if (this.#child) {
        if (!this.#running()) this.#fail('died during the test');
        await this.stop('SIGKILL');
      }
    } finally {
      await rm(this.#directory, { recursive: true, force: true });
    }
  }
}
