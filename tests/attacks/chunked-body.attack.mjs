// Bodies in pieces of one byte: each piece costs as much memory as it has bytes, and no more; and no body comes for ever.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Bystander, Raw, Server, eventually, memory, processorTime, report, size } from './kit.mjs';
import { chunks } from './frames.mjs';
import { setTimeout as delay } from 'node:timers/promises';

const BYTES = size(50_000, 4_000_000);
const CONNECTIONS = 8;
const PIECES = size(10_000, 50_000);

const DOORS = ['/api/publish', '/api/projects', '/api/projects/p/commands', '/socket.io/?EIO=4&transport=polling&sid='];

for (const path of DOORS) {
  test(`chunked body: ${path}: ${CONNECTIONS} bodies in pieces of one byte take up as much as they are`, async (t) => {
    const server = await Server.start(t);
    const bystander = Bystander.start(async () => assert.equal((await fetch(`${server.url}/live`)).status, 200));
    const before = await memory(server);
    const begun = await processorTime(server);
    const block = chunks('x', PIECES);
    const raws = await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
      const raw = await Raw.open(t, server);
      let to = path;
      if (path.endsWith('sid=')) {
        const opened = await (await fetch(server.url + path.replace('&sid=', ''))).text();
        to += opened.match(/"sid":"([^"]+)"/)[1];
      }
      raw.socket.write(`POST ${to} HTTP/1.1\r\nHost: attack\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
      await raw.write(chunks('4', 1));
      for (let sent = 0; sent < BYTES; sent += PIECES) if (!(await raw.write(block, 30_000))) break;
      return raw;
    }));
    // What is under way arrives.
    let last;
    await eventually(async () => last === (last = await processorTime(server)) || (await delay(100), false), 'the server is idle');
    const held = (await memory(server)) - before;
    const peak = (await memory(server, 'VmHWM')) - before;
    const cpu = last - begun;
    for (const raw of raws) raw.destroy();
    const { p99, failed } = await bystander.stop();
    report(t, { 'body MiB': (CONNECTIONS * BYTES) / 1_048_576, 'held MiB': held, 'peak MiB': peak, 'cpu ms': cpu, 'bystander p99 ms': p99 });
    assert.ok(peak < 12 + (3 * CONNECTIONS * BYTES) / 1_048_576, `${peak} MiB`);
    assert.equal(failed, 0);
  });
}

test('chunked body: a body that comes without a pause ends in time', async (t) => {
  const server = await Server.start(t, { PING_INTERVAL: '1s', PING_TIMEOUT: '1s' });
  // What comes after the answer makes TCP reset the connection, and the answer is lost if the client has not read it yet.
  let answer = '';
  for (let attempt = 0; attempt < 5 && !answer; attempt += 1) answer = await unending(t, server);
  assert.match(answer, /^HTTP\/1.1 4/);
});

/** Sends a body without an end until the server ends it; what it answered, if that came through. */
async function unending(t, server) {
  const raw = await Raw.open(t, server);
  raw.socket.write('POST /api/publish HTTP/1.1\r\nHost: attack\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
  const started = performance.now();
  const piece = chunks('x', 20);
  while (!raw.ended && !raw.text && performance.now() - started < 10_000) {
    await raw.write(piece);
    await delay(1);
  }
  const took = performance.now() - started;
  report(t, { 'ended after ms': took });
  assert.ok(took < 4_000, `${took} ms`);
  return raw.text;
}
