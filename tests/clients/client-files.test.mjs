// The browser build of socket.io-client, as pages load it from the server, and Node's server serves it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { Server } from './server.mjs';

const DIST = fileURLToPath(new URL('node_modules/socket.io-client/dist/', import.meta.url));
const NAMES = ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js'];

test('the build and its source maps are served, and not sent again to who has them', async (t) => {
  const server = await Server.start(t, { SOCKETIO_CLIENT_DIR: DIST });
  for (const name of NAMES.flatMap((file) => [file, `${file}.map`])) {
    const url = `${server.url}/socket.io/${name}?v=1`;
    const response = await fetch(url);
    assert.equal(response.status, 200, name);
    const kind = name.endsWith('.map') ? 'json' : 'javascript';
    assert.equal(response.headers.get('content-type'), `application/${kind}; charset=utf-8`);
    assert.equal(response.headers.get('cache-control'), 'public, max-age=0');
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    assert.equal(await response.text(), await readFile(DIST + name, 'utf8'));
    const etag = response.headers.get('etag');
    assert.match(etag, /^"[\w-]+"$/);
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`]) {
      const again = await fetch(url, { headers: { 'If-None-Match': known } });
      assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, etag, '']);
    }
    assert.equal((await fetch(url, { headers: { 'If-None-Match': '"x"' } })).status, 200);
    assert.equal((await fetch(url, { method: 'HEAD' })).status, 200);
  }
  const page = vm.createContext({ setTimeout, clearTimeout, URL });
  page.self = page;
  vm.runInContext(await (await fetch(`${server.url}/socket.io/socket.io.js`)).text(), page);
  assert.equal(typeof page.io, 'function');
});

test('what is no part of the build is not there', async (t) => {
  const server = await Server.start(t, { SOCKETIO_CLIENT_DIR: DIST });
  for (const path of ['package.json', 'socket.io.css', '..%2fpackage.json', 'socket.io.js%00']) {
    assert.equal((await fetch(`${server.url}/socket.io/${path}`)).status, 404, path);
  }
});

test('without the setting the answer says how to get it', async (t) => {
  const server = await Server.start(t);
  const response = await fetch(`${server.url}/socket.io/socket.io.js`);
  assert.equal(response.status, 404);
  assert.match((await response.json()).error, /SOCKETIO_CLIENT_DIR/);
});
