// Programs that tests need besides Boardcast: each on a free port and in a directory of its own, until its test ends.
// `setpriv` has the kernel end them with the test process, however that ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, within } from './wait.mjs';

const ATTEMPTS = 5;

export class Daemon {
  #child;
  #signal;

  /**
   * Starts a program for `scope`: a test, or a whole file (`{ after }` of node:test).
   *
   * `command(daemon)` answers the program and its arguments, `ready(daemon)` whether it has come up, `signal` ends it at
   * once, and `user`, `{name, uid, gid}`, is who it runs as.
   */
  static async start(scope, { command, ready, signal, user }) {
    for (let attempt = 1; ; attempt += 1) {
      const daemon = new Daemon();
      await daemon.#start(command, signal, user);
      await eventually(async () => !daemon.#running() || (await ready(daemon)), 'a daemon to come up').catch(() => {});
      if (daemon.#running() && (await ready(daemon))) {
        scope.after(() => daemon.#stop());
        return daemon;
      }
      const log = await daemon.log();
      await daemon.#stop();
      // Somebody else may have taken the port since it was looked for.
      if (attempt === ATTEMPTS || !log.includes('Address already in use')) {
        throw new Error(`a daemon did not start; its last words:\n${log}`);
      }
    }
  }

  /** What it said so far. */
  async log() {
    return readFile(join(this.directory, 'log'), 'utf8');
  }

  async #start(command, signal, user) {
    this.directory = await mkdtemp(join(tmpdir(), 'boardcast-daemon-'));
    await chmod(this.directory, 0o755); // nginx' workers are nobody if it is started by root
    if (user) await chown(this.directory, user.uid, user.gid);
    this.port = await freePort();
    this.#signal = signal;
    const become = user ? [`--reuid=${user.name}`, `--regid=${user.gid}`, '--init-groups'] : [];
    const program = await command(this);
    const log = await open(join(this.directory, 'log'), 'a');
    this.#child = spawn('setpriv', ['--pdeathsig', signal, ...become, '--', ...program], {
      cwd: this.directory,
      // Debian keeps servers where not everybody looks for programs.
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      stdio: ['ignore', log.fd, log.fd],
    });
    this.#child.on('error', () => {}); // it has no pid then, and does not run
    await log.close();
  }

  #running() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #stop() {
    if (this.#running()) {
      const ended = once(this.#child, 'exit');
      this.#child.kill(this.#signal);
      await within(ended, 'the end of a daemon');
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
