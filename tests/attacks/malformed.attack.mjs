// Packets that cannot be read, as many as the line carries: each is refused, nobody else notices, and nothing piles up.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Bystander, Raw, Server, eventually, memory, processorTime, report, size } from './kit.mjs';
import { frame, handshake, text, texts } from './frames.mjs';

const COUNT = size(2_000, 50_000);
const FRAGMENTS = size(50_000, 1_000_000);
const PACKETS = ['42', '42[', '42[]', '42{}', '42["task:create",{]', '42["boardcast:malformed",1]', `42${'9'.repeat(40)}["a"]`];

const ATTACKS = {
  'many small ones': () => Buffer.concat(Array.from({ length: COUNT }, (_, number) => text(PACKETS[number % PACKETS.length]))),
  'a large one': () => text(`42["task:create",{"title":"${'x'.repeat(4_000_000)}"`),
  'deeply nested': () => text(`42["task:create",${'['.repeat(4_000_000)}`),
  'in fragments of one byte': () => {
    const begun = frame(0x01, '42["task:create",');
    return Buffer.concat([begun, ...Array(FRAGMENTS).fill(frame(0x00, ' ')), frame(0x80, ']')]);
  },
};

test('malformed packets: each is refused alone, at a cost that grows with its size', async (t) => {
  const server = await Server.start(t);
  for (const [name, bytes] of Object.entries(ATTACKS)) await t.test(name, (t) => attack(t, server, bytes()));
});

async function attack(t, server, bytes) {
  const bystander = Bystander.start(async () => assert.equal((await fetch(`${server.url}/live`)).status, 200));
  const raw = await Raw.open(t, server);
  raw.socket.write(handshake('/socket.io/?EIO=4&transport=websocket'));
  await eventually(() => raw.text.includes('\r\n\r\n'), 'the answer to the handshake');
  await raw.write(text('40'));
  await eventually(() => texts(raw).some((packet) => packet.startsWith('40')), 'it is connected');
  const before = await processorTime(server);
  for (let at = 0; at < bytes.length; at += 65_536) assert.ok(await raw.write(bytes.subarray(at, at + 65_536), 60_000), 'it is taken');
  // Only its own packets are refused: what follows is acked, after all of them.
  await raw.write(text('427["project:snapshot","p"]'));
  await eventually(() => raw.text.includes('437[{'), 'the last ack', 60_000);
  assert.ok(raw.text.includes('validation_failed'));
  assert.ok(!raw.ended, 'the connection goes on');
  const cpu = (await processorTime(server)) - before;
  const { p50, p99, failed } = await bystander.stop();
  report(t, { 'bytes on the line': bytes.length, 'cpu ms': cpu, MiB: await memory(server), 'bystander p50 ms': p50, 'bystander p99 ms': p99 });
  assert.equal(failed, 0);
  assert.ok(await memory(server) < 200, 'memory');
}
