// Messages that begin and do not end, from many who have shown nothing: they have a limit in sum, and harm nobody.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Bystander, Raw, Server, eventually, memory, report, size } from './kit.mjs';
import { frame, handshake, text, texts } from './frames.mjs';
import { setTimeout as delay } from 'node:timers/promises';

const COUNT = size(40, 300);
const PART = 3_700_000;
const WHOLE = 4_000_000;
/** What the sum may be, with what the buffers have to spare, and a test server. */
const MOST = 64 * 2 + 64;

const ENGINE = '/socket.io/?EIO=4&transport=websocket';
const part = Buffer.alloc(PART, 'x');
const begun = frame(0x81, '', WHOLE);
const fragment = Buffer.concat([frame(0x01, 'x'.repeat(60_000)), ...Array(60).fill(frame(0x00, 'x'.repeat(60_000)))]);

async function websocket(t, server, path) {
  const raw = await Raw.open(t, server);
  raw.socket.write(handshake(path));
  await eventually(() => raw.text.includes('\r\n\r\n'), 'the answer to the handshake');
  return raw;
}

const ATTACKS = {
  'a text on Socket.IO': async (t, server) => {
    const raw = await websocket(t, server, ENGINE);
    await raw.write(begun, 5_000);
    await raw.write(part, 5_000);
    return raw;
  },
  'fragments on Socket.IO': async (t, server) => {
    const raw = await websocket(t, server, ENGINE);
    await raw.write(fragment, 5_000);
    return raw;
  },
  'attachments on Socket.IO before CONNECT': async (t, server) => {
    const raw = await websocket(t, server, ENGINE);
    await raw.write(text('4510-["x"]'), 5_000);
    for (let count = 0; count < 9; count += 1) await raw.write(frame(0x82, 'x'.repeat(400_000)), 5_000);
    return raw;
  },
  'attachments on Socket.IO': async (t, server) => {
    const raw = await websocket(t, server, ENGINE);
    await raw.write(text('40'));
    await eventually(() => texts(raw).some((packet) => packet.startsWith('40')), 'it is connected');
    await raw.write(text('4510-["x"]'), 5_000);
    for (let count = 0; count < 9; count += 1) await raw.write(frame(0x82, 'x'.repeat(400_000)), 5_000);
    return raw;
  },
  'attachments on long-polling': async (t, server) => {
    const path = '/socket.io/?EIO=4&transport=polling';
    const opened = await (await fetch(server.url + path)).text();
    const to = `${server.url}${path}&sid=${opened.match(/"sid":"([^"]+)"/)[1]}`;
    const headers = { 'Content-Type': 'text/plain;charset=UTF-8' };
    await fetch(to, { method: 'POST', headers, body: '40' });
    while (!(await (await fetch(to)).text()).includes('40{'));
    await fetch(to, { method: 'POST', headers, body: '452-["x"]' });
    await fetch(to, { method: 'POST', headers, body: `b${'A'.repeat(4_000_000)}` });
    return { destroy() {} };
  },
  'a text on /ws': async (t, server) => {
    const raw = await websocket(t, server, '/ws');
    await raw.write(begun, 5_000);
    await raw.write(part, 5_000);
    return raw;
  },
  'fragments on /ws/v1': async (t, server) => {
    const raw = await websocket(t, server, '/ws/v1');
    await raw.write(fragment, 5_000);
    return raw;
  },
  'a polling request': async (t, server) => {
    const path = '/socket.io/?EIO=4&transport=polling';
    const opened = await (await fetch(server.url + path)).text();
    const raw = await Raw.open(t, server);
    raw.socket.write(`POST ${path}&sid=${opened.match(/"sid":"([^"]+)"/)[1]} HTTP/1.1\r\nHost: attack\r\nContent-Length: ${WHOLE}\r\n\r\n`);
    await raw.write(part, 5_000);
    return raw;
  },
  'a request to publish': async (t, server) => {
    const raw = await Raw.open(t, server);
    raw.socket.write(`POST /api/publish HTTP/1.1\r\nHost: attack\r\nContent-Type: application/json\r\nContent-Length: ${WHOLE}\r\n\r\n`);
    await raw.write(part, 5_000);
    return raw;
  },
};

for (const [name, begin] of Object.entries(ATTACKS)) {
  test(`unfinished: ${name}: ${COUNT} that do not end take up no more than the limit`, async (t) => {
    const server = await Server.start(t, { CONNECT_TIMEOUT: '60s' });
    const before = await memory(server);
    const bystander = Bystander.start(async () => {
      const body = JSON.stringify({ channel: 'c', type: 't', data: 'x'.repeat(100_000) });
      const answer = await fetch(`${server.url}/api/publish`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
      assert.equal(answer.status, 201);
      await answer.text();
    }, 50);
    const raws = [];
    for (let count = 0; count < COUNT; count += 10) {
      raws.push(...(await Promise.all(Array.from({ length: 10 }, () => begin(t, server)))));
    }
    // What is under way arrives.
    let last = -1;
    await eventually(async () => {
      const { limits: { unfinished_bytes } } = await server.health();
      const is_still = unfinished_bytes === last;
      last = unfinished_bytes;
      if (!is_still) await delay(200);
      return is_still;
    }, 'nothing comes any more');
    const { limits } = await server.health();
    const held = (await memory(server)) - before;
    const peak = (await memory(server, 'VmHWM')) - before;
    for (const raw of raws) raw.destroy();
    const { p99, count, failed } = await bystander.stop();
    report(t, { 'sent MiB': (COUNT * PART) / 1_048_576, 'held MiB': held, 'peak MiB': peak, 'given up': limits.unfinished_given_up, 'bystander p99 ms': p99, 'bystander count': count });
    assert.ok(peak < MOST, `${peak} MiB`);
    assert.ok(limits.unfinished_bytes <= 64 * 1_048_576, limits.unfinished_bytes);
    assert.equal(failed, 0);
  });
}

test('unfinished: a large message that does not end is given up, and a client that goes on sends it again', async (t) => {
  const server = await Server.start(t, { PING_INTERVAL: '1s', PING_TIMEOUT: '1s' });
  const raw = await websocket(t, server, '/ws');
  await raw.write(begun, 5_000);
  await raw.write(part, 5_000);
  const started = performance.now();
  // Between frames it says that it is there; within one it cannot.
  while (!raw.ended && performance.now() - started < 10_000) await delay(20);
  assert.ok(raw.ended, 'it stays for ever');
  report(t, { 'ended after ms': performance.now() - started });
  await eventually(async () => (await server.health()).limits.unfinished_bytes === 0, 'nothing is left');
});
