// Many channels on one connection, and large events on each: the server keeps recent events for every channel that
// somebody hears, and all of them together must stay within EVENT_MEMORY.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bystander, Raw, Server, eventually, memory, report, size } from './kit.mjs';
import { post } from './rest.mjs';

const MIB = 1024 * 1024;
const EVENT_BYTES = 250_000;
const EVENTS = 16;

test('channels_of_one_connection_together_stay_within_the_event_memory', async (t) => {
  const channels = size(40, 255);
  const server = await Server.start(t, { EVENT_MEMORY: String(32 * MIB) });
  const names = Array.from({ length: channels }, (_, number) => `ring:${number}`);
  const stream = await listen(t, server, names);
  const before = await memory(server);
  const bystander = Bystander.start(() => post(server, '/api/projects/p/tasks', { title: 'Sow' }));

  const text = 'x'.repeat(EVENT_BYTES);
  for (const channel of names) {
    const all = Array.from({ length: EVENTS }, (_, number) =>
      post(server, '/api/publish', { channel, type: 'job.done', data: { number, text } }),
    );
    await Promise.all(all);
  }
  const figures = await bystander.stop();
  const [now, peak] = [await memory(server), await memory(server, 'VmHWM')];
  report(t, { channels, megabytes: (channels * EVENTS * EVENT_BYTES) / MIB, before, now, peak, write: figures });

  // Room for the rings themselves, for what is on its way, and for what the allocator keeps.
  assert.ok(now - before < 32 + 90, `${now - before} MiB more than before`);
  assert.equal(figures.failed, 0);
  assert.equal(stream.ended, false, 'whoever reads is not disconnected');

  // Nothing is lost: the first channel's events come from the log.
  const late = await listen(t, server, [names[0]], '&since=0');
  const count = () => late.bytes > EVENTS * EVENT_BYTES;
  await eventually(count, () => `all events of the coldest channel; there are ${late.bytes} bytes`);
});

/** An event stream whose bytes are counted and dropped. */
async function listen(t, server, channels, more = '') {
  const stream = await Raw.open(t, server);
  stream.bytes = 0;
  stream.socket.removeAllListeners('data');
  stream.socket.on('data', (data) => (stream.bytes += data.length));
  await stream.write(`GET /api/events?channels=${channels.join(',')}${more} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await eventually(() => stream.bytes > 0, 'the stream begins');
  return stream;
}
