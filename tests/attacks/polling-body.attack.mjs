// Bodies of polling requests that cost more than their size: in small pieces, with many packets, with lengths that are wrong.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Bystander, Raw, Server, eventually, processorTime, report, size } from './kit.mjs';
import { chunks } from './frames.mjs';

const BYTES = size(200_000, 4_000_000);

async function open(server, version) {
  const path = `/socket.io/?EIO=${version}&transport=polling`;
  const opened = await (await fetch(server.url + path)).text();
  return `${path}&sid=${opened.match(/"sid":"([^"]+)"/)[1]}`;
}

/** Posts bytes that stand as they are after the head; the status. */
async function post(t, server, path, headers, bytes) {
  const raw = await Raw.open(t, server);
  const lines = Object.entries({ Host: 'attack', Connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  raw.socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  for (let at = 0; at < bytes.length; at += 262_144) await raw.write(bytes.subarray(at, at + 262_144), 60_000);
  await eventually(() => raw.ended || raw.text.includes('\r\n\r\n'), 'an answer');
  return Number(raw.text.split(' ')[1] ?? 0);
}

const plain = (body, type) => [{ 'Content-Length': body.length, ...(type && { 'Content-Type': type }) }, Buffer.from(body)];
const pieces = (piece, count, begin = '') => [
  { 'Transfer-Encoding': 'chunked' },
  Buffer.concat([begin ? chunks(begin, 1) : Buffer.alloc(0), chunks(piece, count), Buffer.from('0\r\n\r\n')]),
];
const BYTES_TYPE = 'application/octet-stream';
const bytesPacket = Buffer.from([0, 1, 255, 0x33]);

const ATTACKS = {
  'version 3 in pieces of one byte': [3, () => pieces('x', BYTES, `${BYTES + 1}:4`)],
  'version 3 in pieces of 1,000 bytes': [3, () => pieces('x'.repeat(1000), BYTES / 1000, `${BYTES + 1}:4`)],
  'version 3 with many packets before a large one': [3, () => plain('1:3'.repeat(8_000) + `${BYTES + 1}:4${'x'.repeat(BYTES)}`)],
  'version 3 with packets of no length': [3, () => plain('0:'.repeat(BYTES / 2))],
  'version 3 with half of an emoji': [3, () => plain(`1:😀${'x'.repeat(BYTES)}`)],
  'version 3 with a length that never comes': [3, () => plain(`99999999:4${'x'.repeat(BYTES)}`)],
  'version 3 with a length without an end': [3, () => plain('1'.repeat(BYTES))],
  'version 3 as bytes, many packets': [3, () => plain(Buffer.concat(Array(8_000).fill(bytesPacket)), BYTES_TYPE)],
  'version 3 as bytes, without a length': [3, () => plain(Buffer.concat([Buffer.from([0, 0, 255]), Buffer.alloc(BYTES)]), BYTES_TYPE)],
  'version 4 in pieces of one byte': [4, () => pieces('x', BYTES, '4')],
  'version 4 with many packets before a large one': [4, () => plain('3\x1e'.repeat(8_000) + `4${'x'.repeat(BYTES)}`)],
  'version 4 with an attachment in pieces of one byte': [4, () => pieces('A', BYTES, '451-["x",{"_placeholder":true,"num":0}]\x1eb')],
};

test('polling body: the work grows with the size, whatever the pieces and the packets', async (t) => {
  const server = await Server.start(t);
  for (const [name, [version, body]] of Object.entries(ATTACKS)) await t.test(name, (t) => attack(t, server, version, body));
});

async function attack(t, server, version, body) {
  const bystander = Bystander.start(async () => assert.equal((await fetch(`${server.url}/live`)).status, 200));
  const [headers, bytes] = body();
  const before = await processorTime(server);
  const path = await open(server, version);
  const started = performance.now();
  const status = await post(t, server, path, headers, bytes);
  const wall = performance.now() - started;
  const cpu = (await processorTime(server)) - before;
  const { p50, p99, failed } = await bystander.stop();
  report(t, { status, 'bytes on the line': bytes.length, 'cpu ms': cpu, 'wall ms': wall, 'bystander p50 ms': p50, 'bystander p99 ms': p99 });
  assert.ok(cpu < 400 + bytes.length / 500, `${cpu} ms of processor time`);
  assert.equal(failed, 0);
  // It is over: nothing spins. The first tenth of a second may still tidy up.
  await eventually(() => rests(server), 'a server that rests');
}

/** Whether the server works for less than 60 ms in 100 ms. */
async function rests(server) {
  const before = await processorTime(server);
  await new Promise((resolve) => setTimeout(resolve, 100));
  return (await processorTime(server)) - before < 60;
}
