// Upgrades that come to nothing: the session stays on long-polling and can be used, as with Node.

import assert from 'node:assert/strict';
import test from 'node:test';
import { FULL, Raw, Server, eventually, report, size, within } from './kit.mjs';
import { handshake, text, texts } from './frames.mjs';
import { setTimeout as delay } from 'node:timers/promises';

const OPENING = { 3: '/socket.io/?EIO=3&transport=polling', 4: '/socket.io/?EIO=4&transport=polling' };

/** A session on long-polling, of which each request is a connection of its own. */
class Session {
  static async open(server, version = 4) {
    const session = new Session();
    session.server = server;
    session.version = version;
    const opened = await (await fetch(server.url + OPENING[version])).text();
    session.sid = JSON.parse(opened.slice(opened.indexOf('{')).replace(/\}\d+:40.*$/, '}')).sid;
    session.path = `${OPENING[version]}&sid=${session.sid}`;
    if (version === 4) await session.post('40');
    await session.until('40');
    return session;
  }

  async post(packets) {
    const body = this.version === 3 ? `${packets.length}:${packets}` : packets;
    const answer = await fetch(this.server.url + this.path, { method: 'POST', body, headers: { 'Content-Type': 'text/plain;charset=UTF-8' } });
    return answer.status;
  }

  async poll() {
    const answer = await within(fetch(this.server.url + this.path), 'an answer to a poll');
    return { status: answer.status, body: await answer.text() };
  }

  /** Polls until an answer has this in it. */
  async until(wanted) {
    for (;;) {
      const { status, body } = await this.poll();
      assert.equal(status, 200, body);
      if (body.includes(wanted)) return body;
      if (body.includes('2')) await this.post(this.version === 3 ? '2' : '3');
    }
  }

  /** Whether the session can be used: an event that asks for an ack gets it. */
  async works(number) {
    assert.equal(await this.post(`42${number}["nothing"]`), 200);
    await this.until(`43${number}[`);
  }

  async websocket(t) {
    const raw = await Raw.open(t, this.server);
    raw.socket.write(handshake(this.path.replace('polling', 'websocket')));
    await eventually(() => raw.text.includes('\r\n\r\n'), 'the answer to the handshake');
    return raw;
  }

  /** Changes to a WebSocket by the book. */
  async upgrade(t) {
    const raw = await this.websocket(t);
    assert.match(raw.text, /^HTTP\/1.1 101 /);
    raw.socket.write(text('2probe'));
    await eventually(() => texts(raw).includes('3probe'), '3probe');
    raw.socket.write(text('5'));
    return raw;
  }
}

const FAILURES = {
  'is closed at once': (raw) => raw.destroy(),
  'says goodbye': (raw) => raw.socket.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0])),
  'is closed after 2probe': async (raw) => {
    raw.socket.write(text('2probe'));
    await eventually(() => texts(raw).includes('3probe'), '3probe');
    raw.destroy();
  },
  'is closed after half of 2probe': (raw) => raw.socket.write(text('2probe').subarray(0, 8), () => raw.destroy()),
  'sends garbage': (raw) => raw.socket.write('\x00'.repeat(100)),
  'sends text that is no packet': (raw) => raw.socket.write(text('hello')),
  'sends an event before it changes': (raw) => raw.socket.write(Buffer.concat([text('2probe'), text('42["nothing"]')])),
  'sends too much': (raw) => raw.socket.write(Buffer.concat(Array(1000).fill(text('2probe')))),
};

test('upgrade: a WebSocket that comes to nothing leaves its session on long-polling', { concurrency: 6 }, async (t) => {
  const server = await Server.start(t);
  const cases = [4, 3].flatMap((version) => Object.entries(FAILURES).map(([what, act]) => ({ version, what, act })));
  await Promise.all(cases.map(({ version, what, act }) => t.test(`version ${version}, ${what}`, (t) => comesToNothing(t, server, version, act))));
});

async function comesToNothing(t, server, version, act) {
  const session = await Session.open(server, version);
  const raw = await session.websocket(t);
  await act(raw);
  await session.works(1);
  await eventually(() => raw.ended, 'the WebSocket has ended');
  await session.works(2);
  const second = await eventually(async () => {
    const next = await session.websocket(t);
    return next.text.startsWith('HTTP/1.1 101') && next;
  }, 'another attempt is let in');
  second.socket.write(text('2probe'));
  await eventually(() => texts(second).includes('3probe'), '3probe');
  second.socket.write(Buffer.concat([text('5'), text('423["nothing"]')]));
  await eventually(() => texts(second).some((packet) => packet.startsWith('433[')), 'an ack over the WebSocket');
  assert.equal(texts(second).filter((packet) => packet === '3probe').length, 1);
  assert.equal((await session.poll()).status, 400);
}

test('upgrade: a WebSocket that stays silent is ended after ten seconds, and its session works all the while', async (t) => {
  const server = await Server.start(t);
  const session = await Session.open(server);
  const started = performance.now();
  const silent = await session.websocket(t);
  // Another one meanwhile is refused.
  const other = await session.websocket(t);
  assert.match(other.text, /^HTTP\/1.1 400 /);
  let acks = 0;
  while (!silent.ended && performance.now() - started < size(1_000, 15_000)) {
    await session.works((acks += 1));
    await delay(50);
  }
  report(t, { acks, ...(silent.ended && { 'ended after ms': performance.now() - started }) });
  assert.equal(silent.ended, FULL);
  assert.ok(acks > 10);
});

test('upgrade: a client that never hears 3probe polls on, and not without a pause', async (t) => {
  const server = await Server.start(t);
  const session = await Session.open(server);
  const raw = await session.websocket(t);
  raw.socket.write(text('2probe'));
  await eventually(() => texts(raw).includes('3probe'), '3probe');
  const started = performance.now();
  let polls = 0;
  while (performance.now() - started < 1_000) {
    const { status, body } = await session.poll();
    assert.deepEqual([status, body], [200, '6']);
    polls += 1;
  }
  report(t, { polls });
  assert.ok(polls < 20, `${polls} polls in a second`);
  await session.works(1);
});

test('upgrade: a poll that waits is over when its client is to change, and events come over one or the other, once', async (t) => {
  const server = await Server.start(t);
  const session = await Session.open(server);
  await session.post('421["join:project","p"]');
  await session.until('431[');
  const writer = await Session.open(server);
  let [written, stopped] = [0, false];
  const writing = (async () => {
    while (!stopped) {
      await writer.post(`42["task:create",{"projectId":"p","title":"${(written += 1)}"}]`);
      await delay(2);
    }
  })();
  const heard = [];
  const hear = (packet) => {
    const event = packet.startsWith('42') && JSON.parse(packet.slice(2));
    if (event?.[1]?.seq && event[0] === 'task:created') heard.push(event[1].seq);
  };
  let paused = false;
  const polling = (async () => {
    while (!paused) (await session.poll()).body.split('\x1e').forEach(hear);
  })();
  await eventually(() => heard.length > 10, 'events by polls');
  const raw = await session.websocket(t);
  raw.socket.write(text('2probe'));
  await eventually(() => texts(raw).includes('3probe'), '3probe');
  paused = true;
  await within(polling, 'the last poll is answered');
  const polled = heard.length;
  await delay(50);
  raw.socket.write(text('5'));
  await eventually(() => texts(raw).length > 50, 'events over the WebSocket');
  stopped = true;
  await writing;
  await writer.post(`42["task:create",{"projectId":"p","title":"last"}]`);
  await eventually(() => texts(raw).some((packet) => packet.includes('"title":"last"')), 'the last event');
  texts(raw).forEach(hear);
  report(t, { polled, 'over the WebSocket': heard.length - polled });
  assert.deepEqual(heard, heard.map((_, index) => heard[0] + index));
});
