// REST as a page calls it, with fetch.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Client, LATEST } from './clients.mjs';
import { Server } from './server.mjs';
import { eventually } from './wait.mjs';

async function ask(server, method, path, body) {
  const response = await fetch(`${server.url}/api${path}`, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, location: response.headers.get('location'), body: await response.json() };
}

/** The paths of a task, by what can stand in one. */
function pathOf(project, task) {
  const isDots = (id) => id === '.' || id === '..';
  const query = new URLSearchParams();
  if (isDots(project)) query.set('projectId', project);
  if (isDots(task)) query.set('id', task);
  const segment = (id) => (isDots(id) ? '-' : encodeURIComponent(id));
  return `/projects/${segment(project)}/tasks/${segment(task)}?${query}`;
}

test('ids of up to 255 bytes are reachable, whatever is in them', async (t) => {
  const server = await Server.start(t);
  const ids = ['.', '..', '...', '-', 'a/b', 'a%2Fb', '%2e', '?id=x&y', 'ü'.repeat(127), 'x'.repeat(255), ' ', '#'];
  const client = await Client.connect(server, LATEST);
  for (const project of ids) {
    for (const id of [project, ids.at(ids.indexOf(project) - 1)]) {
      await client.call('task:create', { projectId: project, id, title: `${project} ${id}` });
      const read = await ask(server, 'GET', pathOf(project, id));
      assert.deepEqual([read.status, read.body.title], [200, `${project} ${id}`], JSON.stringify([project, id]));
      const changed = await ask(server, 'PATCH', pathOf(project, id), { title: 'x' });
      assert.equal(changed.body.data.title, 'x');
    }
    const made = await ask(server, 'POST', '/projects', { projectId: `${project}2`.slice(0, 255), title: 'made' });
    assert.equal(made.status < 400 || project.length > 253, true, JSON.stringify(made));
  }
  // Where it says that something is, it is.
  for (const [project, id] of [['here', '.'], ['here', '..'], ['here', 'a/b'], ['..', 'here']]) {
    const made = await ask(server, 'POST', `/projects/-/tasks?projectId=${project}`, { id, title: 'found' });
    const found = await fetch(server.url + made.location);
    assert.equal((await found.json()).title, 'found', made.location);
  }
  const refused = await ask(server, 'GET', '/projects/a/tasks/b?id=c');
  assert.deepEqual([refused.status, refused.body.field], [422, 'id']);
  for (const id of ['x'.repeat(256), 'ü'.repeat(128)]) {
    const answer = await ask(server, 'GET', pathOf('p', id));
    assert.deepEqual([answer.status, answer.body.field], [422, 'taskId']);
    assert.equal((await client.call('task:create', { projectId: id, title: 'x' })).field, 'projectId');
  }
});

test('a client that leaves paths alone may write dots there', async (t) => {
  const server = await Server.start(t);
  await ask(server, 'POST', '/projects/-/tasks?projectId=..', { id: '.', title: 'dots' });
  for (const path of ['/projects/../tasks/.', '/projects/%2e%2E/tasks/%2e']) {
    const { stdout } = await promisify(execFile)('curl', ['-s', '--path-as-is', `${server.url}/api${path}`]);
    assert.equal(JSON.parse(stdout).title, 'dots', path);
  }
});

async function importAll(server, project, body, type = 'application/x-ndjson') {
  const response = await fetch(`${server.url}/api/projects/${project}/import`, {
    method: 'POST',
    headers: { 'Content-Type': type },
    body,
    duplex: 'half',
  });
  assert.equal(response.status, 200);
  return (await response.text()).trim().split('\n').map((line) => JSON.parse(line));
}

const peakMiB = (server) => Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024;

test('an import of many megabytes passes through, keeps who made what when, and may be repeated', async (t) => {
  const server = await Server.start(t, { USER_COMMAND_RATE: 'none' });
  const COUNT = 20_000;
  const text = 'x'.repeat(2_000); // 40 MB in all, ten times what a request may have elsewhere
  async function* items() {
    for (let number = 0; number < COUNT; number += 1) {
      yield `${JSON.stringify({ id: `t${number}`, text, createdAt: 1_500_000_000_000 + number, createdBy: 'ann' })}\n`;
    }
  }
  await importAll(server, 'p', '{"id":"first"}');
  const before = peakMiB(server);
  const lines = await importAll(server, 'p', ReadableStream.from(items()).pipeThrough(new TextEncoderStream()));
  const grown = peakMiB(server) - before;
  assert.ok(grown < 100, `memory has grown by ${grown} MiB`);
  const { done, ok, items: read, created, refused } = lines.at(-1);
  assert.deepEqual({ done, ok, read, created, refused }, { done: true, ok: true, read: COUNT, created: COUNT, refused: 0 });
  assert.ok(lines.slice(0, -1).every(({ progress }) => progress.items <= COUNT));
  const task = await (await fetch(`${server.url}/api/projects/p/tasks/t19999`)).json();
  assert.deepEqual([task.createdAt, task.createdBy], [new Date(1_500_000_019_999).toISOString(), 'ann']);
  const again = await importAll(server, 'p', JSON.stringify([{ id: 't0', text, createdAt: 1 }, { id: 't1' }]), 'application/json');
  assert.deepEqual([again.at(-1).ok, again.at(-1).unchanged], [true, 2]);
});

test('an import that breaks off says nothing and keeps what came, and is repeated', async (t) => {
  const server = await Server.start(t);
  const controller = new AbortController();
  async function* items() {
    yield '{"id":"a"}\n{"id":"b"}\n';
    await eventually(async () => (await fetch(`${server.url}/api/projects/p/tasks/b`)).status === 200, () => 'b is there');
    controller.abort();
    yield '{"id":"c"}\n';
  }
  const body = ReadableStream.from(items()).pipeThrough(new TextEncoderStream());
  const url = `${server.url}/api/projects/p/import`;
  const headers = { 'Content-Type': 'application/x-ndjson' };
  const request = { method: 'POST', headers, body, duplex: 'half', signal: controller.signal };
  // The answer begins before the body ends.
  await assert.rejects(async () => (await fetch(url, request)).text());
  const lines = await importAll(server, 'p', '{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n');
  assert.equal(lines.at(-1).ok, true);
  assert.deepEqual(lines.at(-1).unchanged + lines.at(-1).created, 3);
});
