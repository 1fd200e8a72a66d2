// How connections begin with the clients and proxies that there are: subprotocols as browsers and `ws` want them answered, and
// an nginx that speaks HTTP/1.0 to its upstream because nobody told it otherwise.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { Daemon } from './daemon.mjs';
import { Server } from './server.mjs';
import { within } from './wait.mjs';

for (const path of ['/socket.io/?EIO=4&transport=websocket', '/', '/ws', '/ws/v1']) {
  test(`${path}: a client with subprotocols connects, and gets the first of them`, async (t) => {
    const server = await Server.start(t);
    for (const [offered, chosen] of [[['chat', 'v2.chat'], 'chat'], [['bearer', 'a.b.c'], 'bearer'], [[], '']]) {
      const socket = new WebSocket(server.url.replace('http', 'ws') + path, offered);
      t.after(() => socket.terminate());
      await within(once(socket, 'open'), 'the connection');
      assert.equal(socket.protocol, chosen);
    }
  });
}

test('socket.io-client connects with `protocols`', async (t) => {
  const server = await Server.start(t);
  const socket = io(server.url, { transports: ['websocket'], protocols: ['chat'], reconnection: false });
  t.after(() => socket.close());
  await within(once(socket, 'connect'), 'the connection');
});

test('behind an nginx that speaks HTTP/1.0, WebSockets are refused at once and long-polling works', async (t) => {
  const server = await Server.start(t);
  const nginx = await Daemon.start(t, {
    command: async ({ directory, port }) => {
      const file = join(directory, 'nginx.conf');
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
      await writeFile(
        file,
        `events {}
         http {
           access_log off;
           ${temporary.map((kind) => `${kind}_temp_path ${join(directory, kind)};`).join('\n')}
           server {
             listen 127.0.0.1:${port};
             location / { proxy_http_version 1.0; proxy_pass ${server.url}; }
           }
         }`,
      );
      const globals = `daemon off; pid ${join(directory, 'pid')};`;
      return ['nginx', '-e', 'stderr', '-p', directory, '-c', file, '-g', globals];
    },
    ready: ({ directory }) => existsSync(join(directory, 'pid')),
    signal: 'SIGTERM',
  });
  const url = `http://127.0.0.1:${nginx.port}`;
  for (const path of ['/socket.io/?EIO=4&transport=websocket', '/ws', '/ws/v1']) {
    const socket = new WebSocket(url.replace('http', 'ws') + path);
    const [, response] = await within(once(socket, 'unexpected-response'), 'a refusal');
    assert.match(String(response.statusCode), /^4/, path);
    socket.on('error', () => {});
    socket.terminate();
  }
  const socket = io(url, { reconnection: false });
  t.after(() => socket.close());
  await within(once(socket, 'connect'), 'the connection');
  const answer = await within(socket.emitWithAck('join:project', 'p1'), 'an ack');
  assert.equal(answer.ok, true);
});
