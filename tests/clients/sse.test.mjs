// EventSource in a real browser, and curl as the README has it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Browser, Source } from './browser.mjs';
import { Client, LATEST } from './clients.mjs';
import { Nginx } from './nginx.mjs';
import { Proxy } from './proxy.mjs';
import { seeded } from './random.mjs';
import { Server } from './server.mjs';
import { Postgres, Redis } from './services.mjs';
import { REQUIRED, tokenOf } from './tokens.mjs';
import { eventually } from './wait.mjs';

const CUTS = 20;
const CHANNELS = ['ai:jobs:status', 'project:p1'];
const PATH = `/api/events?channels=${CHANNELS.join(',')}`;

const browser = await Browser.start({ after });

async function post(server, body) {
  const response = await fetch(`${server.url}/api/publish`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** What the server has kept of a channel: the seqs, and the text of all pages. */
async function kept(server, channel) {
  const log = { seqs: [], text: '' };
  for (let since = 0, more = true; more; ) {
    const url = `${server.url}/api/channels/${encodeURIComponent(channel)}/events?since=${since}&limit=500`;
    const text = await (await fetch(url)).text();
    const page = JSON.parse(text);
    log.seqs.push(...page.events.map(({ seq }) => seq));
    log.text += text;
    [since, more] = [page.seq, page.hasMore];
  }
  return log;
}

/** Changes a board and publishes, on servers by turns, until it is stopped. */
class Publisher {
  #stopped = false;
  #ended;

  constructor(servers, clients) {
    this.#ended = this.#run(servers, clients);
    this.#ended.catch(() => {}); // `stop` tells
  }

  async stop() {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(servers, clients) {
    for (let number = 0; !this.#stopped; number += 1) {
      const { status } = await post(servers[number % servers.length], {
        channel: CHANNELS[0],
        type: 'tick',
        data: { number, text: 'ä\n'.repeat(number % 50) },
      });
      assert.equal(status, 201);
      await clients[number % clients.length].accepted('task:create', { projectId: 'p1', title: `${number}` });
      await delay(15);
    }
  }
}

/** Cuts a page's only connection again and again, each time soon after it is there. */
async function cutAgainAndAgain(source, proxy, random) {
  for (let cut = 1; cut <= CUTS; cut += 1) {
    await source.opened(cut);
    await delay(random.fraction() * 300);
    await eventually(() => proxy.cut(), 'a connection to cut');
  }
  await source.opened(CUTS + 1);
}

/** What was heard of each channel is what the server has kept of it: all of it, once, in order, byte for byte. */
async function assertHeardAll(source, server, label) {
  const logs = await Promise.all(CHANNELS.map((channel) => kept(server, channel)));
  const total = logs[0].seqs.length + logs[1].seqs.length;
  const messages = await source.heard(total);
  assert.equal(messages.length, total, `${label}: nothing else`);
  for (const [at, channel] of CHANNELS.entries()) {
    const heard = messages.map(({ data }) => data).filter((data) => JSON.parse(data).channel === channel);
    const seqs = heard.map((data) => JSON.parse(data).seq);
    assert.deepEqual(seqs, logs[at].seqs, `${label}: ${channel}`);
    assert.deepEqual(seqs, Array.from(seqs, (_, index) => index + 1), `${label}: ${channel}`);
    for (const data of heard) {
      const message = data.slice(data.indexOf('"message":') + '"message":'.length, -1);
      assert.ok(logs[at].text.includes(`"data":${message}}`), `${label}: not in the log: ${message}`);
    }
  }
}

test(`an EventSource that is cut ${CUTS} times misses nothing and repeats nothing, nor does one behind nginx`, (t) =>
  seeded(t, async (random) => {
    const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
    const env = { DATABASE_URL: await postgres.database(), REDIS_URL: redis.url };
    const servers = await Promise.all([Server.start(t, env), Server.start(t, env)]);
    const nginx = await Nginx.start(t, servers.map(({ port }) => port));
    const page = await browser.page();
    const begin = async (label, target) => {
      const proxy = await Proxy.start(t, target);
      return { label, proxy, source: await Source.open(page, proxy.url + PATH) };
    };
    const sources = await Promise.all([
      begin('one instance', servers[0]),
      begin('behind nginx', nginx),
    ]);
    await Promise.all(sources.map(({ source }) => source.opened(1)));
    const clients = await Promise.all(servers.map((server) => Client.connect(server, LATEST)));
    const publisher = new Publisher(servers, clients);
    await Promise.all(sources.map(({ source, proxy }) => cutAgainAndAgain(source, proxy, random.fork())));
    await publisher.stop();
    for (const { label, source } of sources) {
      await assertHeardAll(source, servers[0], label);
      const { opens } = await source.look();
      assert.ok(opens > CUTS, `${label}: ${opens} connections`);
    }
  }));

test('named messages reach the listeners of their names', async (t) => {
  const server = await Server.start(t);
  const source = await Source.open(await browser.page(), `${server.url}/api/events?channels=c&named=1`, ['job.done']);
  await source.opened(1);
  for (const type of ['job.done', 'job.begun', 'job.done']) await post(server, { channel: 'c', type, data: { type } });
  const messages = await source.heard(2);
  assert.deepEqual(messages.map(({ name, data }) => [name, JSON.parse(data).seq]), [['job.done', 1], ['job.done', 3]]);
});

test('a browser gives up where it may not listen, and comes back to a server that has no room or is away', async (t) => {
  const server = await Server.start(t, { ...REQUIRED, MAX_CONNECTIONS_PER_IP: '1' });
  const page = await browser.page();
  const url = (token) => `${server.url}/api/events?channels=session:s&token=${token}`;
  await (await Source.open(page, url('nonsense'))).closed();
  const first = await Source.open(page, url(tokenOf('ann')));
  await first.opened(1);
  await server.stop('SIGKILL');
  await server.start();
  await first.opened(2);
  // There is one place. Who finds it taken is asked to come again.
  const second = await Source.open(await browser.page(), url(tokenOf('ben')));
  await second.opened(1);
  assert.equal((await second.look()).state === 2, false, 'it has not given up');
});

test('curl listens and publishes as the README says', async (t) => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, listen] = readme.match(/^## Server-Sent Events$[\s\S]*?^```sh\n(curl [\s\S]*?)\n```/m);
  const [, publish] = readme.match(/^### Publishing from backends: HTTP$[\s\S]*?^```sh\n(curl [\s\S]*?)\n```/m);
  const server = await Server.start(t);
  const run = (command) => {
    assert.ok(command.includes('http://localhost:8002'), command);
    const child = spawn('sh', ['-c', `exec ${command.replaceAll('http://localhost:8002', server.url)}`]);
    t.after(() => child.kill());
    const output = { text: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => (output.text += text));
    return output;
  };
  const heard = run(listen);
  await eventually(() => /^id: /m.test(heard.text), () => `curl to listen; it says ${heard.text}`);
  const published = run(publish);
  await eventually(() => published.text.includes('"ok":true'), () => `an answer; curl says ${published.text}`);
  await eventually(() => /^data: .*"channel"/m.test(heard.text), () => `an event; curl says ${heard.text}`);
});
