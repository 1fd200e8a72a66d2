// Connections that do nothing take all sockets that the process may open: the server keeps some files for itself.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const FILES = 200;
const CONNECTIONS = 300;

test('files: connections that do nothing leave the server what it needs', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'boardcast-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const binary = process.env.BOARDCAST_BIN ?? fileURLToPath(new URL('../../target/debug/boardcast', import.meta.url));
  const limited = join(directory, 'boardcast');
  await writeFile(limited, `#!/bin/sh\nulimit -n ${FILES}\nexec '${binary}' "$@"\n`);
  await chmod(limited, 0o755);
  process.env.BOARDCAST_BIN = limited;
  const { Raw, Server, eventually, report } = await import('./kit.mjs');
  const server = await Server.start(t);
  const files = async () => (await readdir(`/proc/${server.pid}/fd`)).length;
  const before = await files();
  const user = await Raw.open(t, server);
  const publish = async () => {
    const body = JSON.stringify({ channel: 'c', type: 't', data: 1 });
    const [answered] = [user.text.split('HTTP/1.1 201').length];
    user.socket.write(`POST /api/publish HTTP/1.1\r\nHost: attack\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await eventually(() => user.text.split('HTTP/1.1 201').length > answered, () => `published; ${user.text}`);
  };
  await publish();
  const idle = await Promise.all(Array.from({ length: CONNECTIONS }, () => Raw.open(t, server)));
  await eventually(() => idle.some((raw) => raw.ended), 'some have no place');
  await publish();
  const most = await files();
  report(t, { 'files before': before, 'files then': most, 'without a place': idle.filter((raw) => raw.ended).length });
  assert.ok(most <= before + FILES / 2 + 10, `${most} files`);
  for (const raw of idle) raw.destroy();
  await eventually(async () => (await fetch(`${server.url}/live`).catch(() => ({}))).status === 200, 'others come in');
});
