// The nginx of deploy/, in front of instances that a test has started.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Daemon } from './daemon.mjs';

const CONFIGURATION = new URL('../../deploy/nginx.conf', import.meta.url);
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

export class Nginx {
  #daemon;
  #sockets = [];

  /** Starts nginx in front of instances on `ports`, each with a line as the configuration has it. */
  static async start(scope, ports) {
    const nginx = new Nginx();
    nginx.#daemon = await Daemon.start(scope, {
      command: async ({ directory, port }) => {
        const file = join(directory, 'nginx.conf');
        await writeFile(file, await configuration(port, ports, directory));
        const globals = `daemon off; pid ${join(directory, 'pid')};`;
        return ['nginx', '-e', 'stderr', '-p', directory, '-c', file, '-g', globals];
      },
      ready: ({ directory }) => existsSync(join(directory, 'pid')), // written when it listens
      signal: 'SIGTERM',
    });
    scope.after(() => nginx.#sockets.forEach((socket) => socket.close()));
    return nginx;
  }

  get port() {
    return this.#daemon.port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What nginx said, its access log included. */
  async log() {
    return this.#daemon.log();
  }

  /** Closes `socket` when nginx ends. */
  attach(socket) {
    this.#sockets.push(socket);
  }
}

/** The configuration that is shipped, but for addresses and the places of temporary files. */
async function configuration(port, ports, directory) {
  let text = await readFile(CONFIGURATION, 'utf8');
  const replace = (shipped, own) => {
    assert.equal(text.split(shipped).length, 2, `nginx.conf should have one ${JSON.stringify(shipped)}`);
    text = text.replace(shipped, () => own);
  };
  replace('listen 8002;', `listen 127.0.0.1:${port};`);
  const [shipped] = text.match(/^ *server boardcast-1:.*\n *server boardcast-2:.*\n/m);
  // Addresses need no `resolve`, and the nginx of Debian 12 does not know it.
  const line = shipped.split('\n')[0].replace(' resolve ', ' ');
  replace(shipped, ports.map((instance) => `${line.replace('boardcast-1:8002', `127.0.0.1:${instance}`)}\n`).join(''));
  const temporary = TEMPORARY.map((kind) => `${kind}_temp_path ${join(directory, kind)};`);
  replace('http {\n', `http {\n${temporary.join('\n')}\n`);
  return text;
}
