// The frontends of `frontends/` in a real browser, before either of two servers: the relay that each was written for, and
// Boardcast with its dialect.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { chromium } from 'playwright-core';
import { Server } from './server.mjs';
import { eventually } from './wait.mjs';

const FRONTENDS = fileURLToPath(new URL('frontends/', import.meta.url));
const CLIENT_FILES = fileURLToPath(new URL('node_modules/socket.io-client/dist/', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript' };
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--no-proxy-server'];
const PATIENCE = 15_000;

/** A plain Node relay in a process of its own. */
class Relay {
  url;

  static async start(t, name) {
    const relay = new Relay();
    const child = spawn(process.execPath, [join(FRONTENDS, name, 'relay.js')], {
      env: { PATH: process.env.PATH, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    const port = await eventually(() => output.match(/listening on (\d+)/)?.[1], `the relay of ${name} listens`);
    relay.url = `http://127.0.0.1:${port}`;
    return relay;
  }

  async notify(userId, notification) {
    await post(`${this.url}/notify`, { userId, notification });
  }
}

/** Boardcast with the dialects of some frontends. */
class Boardcast {
  server;

  static async start(t, names) {
    const boardcast = new Boardcast();
    boardcast.server = await Server.start(t, {
      DIALECTS: names.map((name) => join(FRONTENDS, name, `${name}.toml`)).join(),
      SOCKETIO_CLIENT_DIR: CLIENT_FILES,
      PRESENCE_GRACE: '500ms',
    });
    return boardcast;
  }

  get url() {
    return this.server.url;
  }

  async notify(userId, data) {
    await post(`${this.url}/api/publish`, { channel: `user:${userId}`, type: 'notification', data });
  }
}

/** The servers that a scenario is played before, by name. */
export const SERVERS = {
  relay: (t, name) => Relay.start(t, name),
  boardcast: (t, ...names) => Boardcast.start(t, names),
};

/**
 * Serves `frontends/<name>` as `http://<name>.example.org`, each file as it lies there, and starts a browser that finds it.
 * Answers what opens a window: a browser context of its own.
 */
export async function browse(t, serverUrl) {
  const site = createServer(async (request, response) => {
    const { pathname, hostname } = new URL(request.url, `http://${request.headers.host}`);
    const path = normalize(pathname === '/' ? '/index.html' : pathname);
    const content = path === '/config.js'
      ? `const SERVER_URL = '${serverUrl}';`
      : await readFile(join(FRONTENDS, hostname.split('.')[0], path)).catch(() => null);
    response.writeHead(content ? 200 : 404, { 'Content-Type': TYPES[extname(path)] ?? 'text/plain' }).end(content);
  });
  await once(site.listen(0, '127.0.0.1'), 'listening');
  const rule = `--host-resolver-rules=MAP *.example.org:80 127.0.0.1:${site.address().port}`;
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: [...FLAGS, rule] });
  t.after(async () => {
    await browser.close();
    site.close();
  });
  return async (name, query) => {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(PATIENCE);
    page.errors = [];
    page.on('pageerror', (error) => page.errors.push(error.message));
    await page.goto(`http://${name}.example.org/?${new URLSearchParams(query)}`);
    await page.locator('#status', { hasText: 'online' }).waitFor();
    return page;
  };
}

/** Waits until `read` finds `expected` in each of `pages`. */
export async function show(read, pages, expected) {
  for (const page of pages) {
    let seen;
    const same = async () => isDeepStrictEqual((seen = await page.evaluate(read)), expected);
    const what = () => `${page.url()} shows\n${JSON.stringify(expected)}\nand not\n${JSON.stringify(seen)}\n${page.errors.join('\n')}`;
    await eventually(same, what);
  }
}

/** Answers the next question that `page` asks, and waits until it is asked by `action`. */
export async function answer(page, text, action) {
  const asked = page.waitForEvent('dialog').then((dialog) => dialog.accept(text));
  await Promise.all([asked, action()]);
}

async function post(url, body) {
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
}
