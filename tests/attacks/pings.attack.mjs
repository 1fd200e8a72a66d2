// Who sends what the server answers by itself, and reads nothing of it: the answers wait in memory.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Bystander, FULL, Raw, Server, eventually, memory, processorTime, report, size } from './kit.mjs';
import { frame, handshake, ping, text } from './frames.mjs';

const MEBIBYTE = 1024 * 1024;
const SIZE = size(40, 512) * MEBIBYTE;
const BLOCK = 256 * 1024;

const ENGINE = '/socket.io/?EIO=4&transport=websocket';
const ATTACKS = [
  ['pings on Socket.IO', ENGINE, ping('x'.repeat(125))],
  ['pings that say nothing on Socket.IO', ENGINE, ping('')],
  ['pongs on Socket.IO', ENGINE, frame(0x8a, 'x'.repeat(125))],
  ['Engine.IO pings of version 3', '/socket.io/?EIO=3&transport=websocket', text('2')],
  ['CONNECT to namespaces that are none', ENGINE, text('40/none,')],
  ['pings on /ws', '/ws', ping('x'.repeat(125))],
  ['messages that are refused on /ws', '/ws', text('{"type":"nothing"}')],
  ['pings on /ws/v1', '/ws/v1', ping('x'.repeat(125))],
];

test('pings: clients that read nothing of what is answered take up no memory', async (t) => {
  const server = await Server.start(t);
  const [first, ...others] = ATTACKS;
  // By hand one after the other, so that each has figures of its own.
  for (const attacks of FULL ? ATTACKS.map((attack) => [attack]) : [[first], others]) {
    await t.test(attacks.map(([name]) => name).join('; '), (t) => flood(t, server, attacks));
  }
});

/** Sends each until it has sent enough, or the server takes no more. */
async function flood(t, server, attacks) {
  const bystander = Bystander.start(async () => assert.equal((await fetch(`${server.url}/live`)).status, 200));
  const raws = await Promise.all(attacks.map(([, path]) => silent(t, server, path)));
  const [before, begun, started] = [await memory(server), await processorTime(server), performance.now()];
  const sent = await Promise.all(attacks.map(async ([, , piece], index) => {
    const block = Buffer.concat(Array(Math.ceil(BLOCK / piece.length)).fill(piece));
    let sent = 0;
    while (sent < SIZE && (await raws[index].write(block, size(700, 3_000)))) sent += block.length;
    return Math.round(sent / MEBIBYTE);
  }));
  const grown = (await memory(server)) - before;
  const cpu = (await processorTime(server)) - begun;
  for (const raw of raws) raw.destroy();
  const { p99, failed } = await bystander.stop();
  report(t, { 'sent MiB': sent, 'grown MiB': grown, 'cpu ms': cpu, 'wall ms': performance.now() - started, 'bystander p99 ms': p99 });
  assert.ok(grown < 10, `${grown} MiB more`);
  assert.ok(cpu < 1_000, `${cpu} ms of processor time`);
  assert.equal(failed, 0);
}

/** A WebSocket whose client reads nothing after the handshake. */
async function silent(t, server, path) {
  const raw = await Raw.open(t, server);
  raw.socket.write(handshake(path));
  await eventually(() => raw.text.includes('\r\n\r\n'), 'the answer to the handshake');
  assert.match(raw.text, /^HTTP\/1.1 101 /);
  raw.socket.pause();
  return raw;
}

test('pings: a client that reads its pongs gets a hundred in a second, and costs little', async (t) => {
  const server = await Server.start(t);
  const raw = await Raw.open(t, server);
  raw.socket.write(handshake(ENGINE));
  await eventually(() => raw.text.includes('"sid"'), 'it is open');
  const begun = await processorTime(server);
  const started = performance.now();
  raw.socket.write(Buffer.concat(Array(1_000_000).fill(ping(''))));
  const pongs = () => raw.received.toString('latin1').split('\x8a\x00').length - 1;
  await eventually(() => pongs() >= 250, 'pongs');
  const took = performance.now() - started;
  const cpu = (await processorTime(server)) - begun;
  report(t, { pongs: pongs(), 'wall ms': took, 'cpu ms': cpu });
  assert.ok(took > 900, `250 pongs within ${took} ms`);
  assert.ok(pongs() < 400, `${pongs()} pongs`);
});
