// The React example in a real browser: what one page changes, the other one shows. It is built by `npm run build` in
// examples/react, as scripts/test does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Server } from './server.mjs';
import { eventually } from './wait.mjs';

const DIST = fileURLToPath(new URL('../../examples/react/dist/', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const PATIENCE = 15_000;
const [major, minor] = process.versions.node.split('.').map(Number);
const skip = major < 20 || (major === 20 && minor < 19) ? 'the example is built with Node 20.19 or newer' : false;

/** Serves the built page; its address. */
async function page(t) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://page').pathname);
    const file = path === '/' ? 'index.html' : path;
    const content = await readFile(join(DIST, file)).catch(() => null);
    response.writeHead(content ? 200 : 404, { 'Content-Type': TYPES[extname(file)] ?? 'text/plain' }).end(content);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

async function scene(t) {
  const [server, address] = [await Server.start(t), await page(t)];
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: QUIET });
  t.after(() => browser.close());
  const open = async (user) => {
    const tab = await browser.newPage();
    tab.setDefaultTimeout(PATIENCE);
    const query = new URLSearchParams({ server: server.url, project: 'demo', user, channels: 'ui:activity' });
    await tab.goto(`${address}?${query}`);
    await tab.locator('section output.live').waitFor();
    return tab;
  };
  return { server, ann: await open('ann'), ben: await open('ben') };
}

const card = (tab, column, title) => tab.locator(`ol[aria-label="${column}"] li`, { hasText: title });

async function add(tab, title) {
  await tab.getByLabel('title').fill(title);
  await tab.getByRole('button', { name: 'add' }).click();
}

async function move(tab, from, title, to) {
  await card(tab, from, title).getByRole('button', { name: to, exact: true }).click();
}

test('what one page changes the other shows, also after the server was killed', { skip }, async (t) => {
  const { server, ann, ben } = await scene(t);
  await add(ann, 'Sow');
  await card(ben, 'todo', 'Sow').waitFor();
  await move(ben, 'todo', 'Sow', 'doing');
  await card(ann, 'doing', 'Sow').waitFor();
  await server.stop('SIGKILL');
  await ann.locator('section output.offline').waitFor();
  await server.start();
  await ann.locator('section output.live').waitFor();
  await ben.locator('section output.live').waitFor();
  await move(ann, 'doing', 'Sow', 'done');
  await card(ben, 'done', 'Sow').waitFor();
  assert.equal(await ben.locator('section li').count(), 1);
});

test('a change is shown at once, and taken back if it is refused', { skip }, async (t) => {
  const { server, ann, ben } = await scene(t);
  await add(ann, 'Sow');
  await card(ben, 'todo', 'Sow').waitFor();
  // The server neither answers nor ends: what is shown now is what was wished for.
  server.signal('SIGSTOP');
  await move(ben, 'todo', 'Sow', 'doing');
  await card(ben, 'doing', 'Sow').and(ben.locator('.pending')).waitFor();
  await move(ann, 'todo', 'Sow', 'done');
  await card(ann, 'done', 'Sow').and(ann.locator('.pending')).waitFor();
  server.signal('SIGCONT');
  // One of them was first, and the other one had not seen that.
  const columns = () => Promise.all([ann, ben].map((tab) => tab.locator('ol:has(li)').first().getAttribute('aria-label')));
  await eventually(async () => {
    const pending = await Promise.all([ann, ben].map((tab) => tab.locator('.pending').count()));
    const [a, b] = await columns();
    return pending.every((count) => count === 0) && a === b;
  }, 'both show the same, and nothing is on its way');
  const refused = await Promise.all([ann, ben].map((tab) => tab.getByRole('alert').count()));
  assert.deepEqual(refused.sort(), [0, 1]);
});

test('a channel is heard over server-sent events, with what was said while the server was away from it', { skip }, async (t) => {
  const { server, ann } = await scene(t);
  const publish = (type) =>
    fetch(`${server.url}/api/publish`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ channel: 'ui:activity', type, data: { by: type } }),
    });
  const heard = () => ann.locator('ol[aria-label="activity"] li b').allTextContents();
  await ann.locator('aside output.open').waitFor();
  assert.equal((await publish('first')).ok, true);
  await eventually(async () => (await heard()).includes('first'), 'the first event is shown');
  await ann.context().setOffline(true);
  await server.stop('SIGKILL');
  await ann.locator('aside output.connecting').waitFor();
  await server.start();
  assert.equal((await publish('missed')).ok, true);
  await ann.context().setOffline(false);
  await eventually(async () => (await heard()).includes('missed'), 'the missed event is shown');
  assert.deepEqual(await heard(), ['missed', 'first']);
});
