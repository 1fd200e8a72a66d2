// A Postgres and a Redis of one's own, for instances to share.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Daemon } from './daemon.mjs';

const run = promisify(execFile);
const INITDB = '--no-sync --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8';
const SETTINGS = '-c listen_addresses=127.0.0.1 -c fsync=off -c dynamic_shared_memory_type=mmap';
const START_POSTGRES = `"$1" -D data ${INITDB} && exec "$2" -D data -k "$PWD" -p "$3" ${SETTINGS}`;

export class Postgres {
  #port;
  #databases = 0;

  static async start(scope) {
    const postgres = new Postgres();
    const daemon = await Daemon.start(scope, {
      user: await unprivileged(),
      command: ({ port }) => ['sh', '-c', START_POSTGRES, 'sh', program('initdb'), program('postgres'), String(port)],
      ready: async ({ directory }) => {
        const status = await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8').catch(() => '');
        return status.split('\n')[7]?.trim() === 'ready';
      },
      signal: 'SIGQUIT',
    });
    postgres.#port = daemon.port;
    return postgres;
  }

  /** Makes an empty database and answers its URL. */
  async database() {
    const name = `test_${(this.#databases += 1)}`;
    await run(program('createdb'), ['--host=127.0.0.1', `--port=${this.#port}`, '--username=postgres', name]);
    return `postgres://postgres:secret@127.0.0.1:${this.#port}/${name}`;
  }
}

export class Redis {
  static async start(scope) {
    const redis = new Redis();
    const { port } = await Daemon.start(scope, {
      command: ({ port }) => `redis-server --bind 127.0.0.1 --port ${port} --appendonly no --save`.split(' ').concat(''),
      ready: async (daemon) => (await daemon.log()).includes('Ready to accept connections'),
      signal: 'SIGTERM',
    });
    redis.url = `redis://127.0.0.1:${port}/0`;
    return redis;
  }
}

/** Postgres does not run as root; its package brings a user for it. */
async function unprivileged() {
  if (process.getuid() !== 0) return undefined;
  const id = async (what) => Number((await run('id', [what, 'postgres'])).stdout);
  return { name: 'postgres', uid: await id('-u'), gid: await id('-g') };
}

/** The newest installed version's program, else the one in the PATH. */
function program(name) {
  const home = '/usr/lib/postgresql';
  const installed = (existsSync(home) ? readdirSync(home) : [])
    .map((version) => ({ version: Number(version), path: join(home, version, 'bin', name) }))
    .filter(({ path }) => existsSync(path))
    .sort((a, b) => b.version - a.version);
  return installed[0]?.path ?? name;
}
