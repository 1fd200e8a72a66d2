// The README's snippet, as a newcomer would run it: pasted into a file beside an installed socket.io-client.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server } from './server.mjs';
import { eventually } from './wait.mjs';

const README = new URL('../../README.md', import.meta.url);
const MODULES = fileURLToPath(new URL('node_modules', import.meta.url));
const DEFAULT_URL = 'http://localhost:8002';
const SNIPPET = /^#+ [^\n]*five[ -]lines?[\s\S]*?^```(?:js|javascript|mjs)\n([\s\S]*?)^```/im;

// Either the event's name is printed, or its payload, which tells its place in the project's order.
const CREATED = /task:created|\bseq"?: ?1\b/;
const UPDATED = /task:updated|\bseq"?: ?2\b/;

async function pasted(t, code) {
  const directory = await mkdtemp(join(tmpdir(), 'boardcast-readme-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await symlink(MODULES, join(directory, 'node_modules'));
  const file = join(directory, /\brequire\(/.test(code) ? 'snippet.cjs' : 'snippet.mjs');
  await writeFile(file, code);
  return file;
}

function run(t, file) {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output.text += text));
  }
  return output;
}

test('the five lines of the README see a task created and updated', async (t) => {
  const code = (await readFile(README, 'utf8')).match(SNIPPET)?.[1];
  assert.ok(code, 'README.md has a js code block below a heading with "five lines"');
  assert.ok(code.includes(DEFAULT_URL), `the snippet connects to ${DEFAULT_URL}`);
  const server = await Server.start(t);
  const output = run(t, await pasted(t, code.replaceAll(DEFAULT_URL, server.url)));
  const seen = () => CREATED.test(output.text) && UPDATED.test(output.text);
  await eventually(seen, () => `both events; the snippet printed:\n${output.text}`);
});
