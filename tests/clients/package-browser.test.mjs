// `@boardcast/client` in a real browser, with its own `WebSocket`. It is built by `npm run build` in clients/typescript, as
// scripts/test does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';

const DIST = new URL('../../clients/typescript/dist/esm/', import.meta.url);
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

/** Serves the built modules and an empty page; its address. */
async function page(t) {
  const server = createServer(async (request, response) => {
    const module = await readFile(new URL(`.${request.url}`, DIST)).catch(() => null);
    const type = module ? 'text/javascript' : 'text/html';
    response.writeHead(200, { 'Content-Type': type }).end(module ?? '<!doctype html>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** What a page does: hears a channel, says something, and closes when it has heard three steps. */
async function inPage(url) {
  const { BoardcastSocket } = await import('/websocket.js');
  const socket = new BoardcastSocket(url, { reconnect: { minDelayMs: 5, maxDelayMs: 50 } });
  const endings = [];
  socket.onState(({ state, close }) => state === 'waiting' && endings.push(close.code));
  const numbers = [];
  const done = new Promise((resolve) => {
    socket.on('step', ({ data }) => {
      numbers.push(data.number);
      globalThis.heard(data.number);
      if (numbers.length === 3) resolve();
    });
  });
  await socket.connect();
  await socket.subscribe('news');
  const { version } = await socket.send('task:create', { projectId: 'p', title: 'Sow' });
  globalThis.heard(0);
  await done;
  socket.close();
  return { numbers, version, endings, state: socket.state };
}

for (const path of ['/ws', '/ws/v1']) {
  test(`${path}: a page hears every event once, also when its connection is cut`, async (t) => {
    const server = await Server.start(t);
    const proxy = await Proxy.start(t, server);
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: QUIET });
    t.after(() => browser.close());
    const tab = await browser.newPage();
    const publish = (number) =>
      fetch(`${server.url}/api/publish`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ channel: 'news', type: 'step', data: { number } }),
      });
    // Each step is followed by the next one, the second of them by a cut as well.
    await tab.exposeFunction('heard', async (number) => {
      if (number === 2) proxy.cut();
      if (number < 3) await publish(number + 1);
    });
    await tab.goto(await page(t));
    const url = `${proxy.url.replace('http', 'ws')}${path}`;
    const found = await tab.evaluate(inPage, url);
    assert.deepEqual(found, { numbers: [1, 2, 3], version: 1, endings: [1006], state: 'closed' });
  });
}
