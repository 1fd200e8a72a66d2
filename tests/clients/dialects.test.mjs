// Every file in fixtures/dialects, end to end: a real client sends what the fixture says, and it and a mere listener
// hear what the fixture says, nothing more. The format:
//
//   {
//     "name", "description",
//     "projects": ["p1"],       joined by the listener, and by the sender unless "joined" is false
//     "eventStyle": "snake",    optional, of both connections
//     "steps": [{
//       "emit": ["event", arg…],
//       "ack": {…} | null,      null: none is asked for
//       "events": [{ "name", "payload": {…} }],
//       "senderEvents": […]     optional: what the sender hears, where that is something else
//     }]
//   }
//
// Acks and payloads may have more than is expected of them; match.mjs knows the placeholders.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Client, LATEST } from './clients.mjs';
import { assertMatches, withBound } from './match.mjs';
import { Server } from './server.mjs';

const FOLDER = new URL('../../fixtures/dialects/', import.meta.url);
const FIXTURE_KEYS = ['name', 'description', 'projects', 'joined', 'eventStyle', 'steps'];
const STEP_KEYS = ['emit', 'ack', 'events', 'senderEvents'];

/** What one client heard, taken step by step. */
class Hearing {
  #taken = 0;

  constructor(client, who) {
    this.client = client;
    this.who = who;
  }

  async check(expected, bound, step) {
    const from = this.#taken;
    this.#taken += expected.length;
    const heard = (await this.client.heard(this.#taken)).slice(from, this.#taken);
    assert.deepEqual(heard.map(({ name }) => name), expected.map(({ name }) => name), `${step}, ${this.who}`);
    for (const [index, { name, payload = {} }] of expected.entries()) {
      assertMatches(heard[index].payload, payload, bound, `${step}, ${this.who}, ${name}`);
    }
  }

  async checkNothingMore() {
    const surplus = (await this.client.settled()).slice(this.#taken);
    assert.deepEqual(surplus, [], `${this.who} hears nothing more`);
  }
}

function checkKeys(object, known) {
  assert.deepEqual(Object.keys(object).filter((key) => !known.includes(key)), [], 'unknown keys in the fixture');
}

async function runStep({ emit, ack, events, senderEvents = events }, label, sender, listener, bound) {
  const args = withBound(emit, bound);
  if (ack === null) {
    sender.client.emit(...args);
  } else {
    assertMatches(await sender.client.call(...args), ack, bound, `${label}, ack`);
  }
  await listener.check(events, bound, label);
  await sender.check(senderEvents, bound, label);
}

const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
assert.notEqual(files.length, 0, 'no dialect fixtures found');

for (const file of files) {
  const fixture = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
  test(`dialect ${file}: ${fixture.name}`, async (t) => {
    checkKeys(fixture, FIXTURE_KEYS);
    const { projects = [], joined = true, eventStyle, steps } = fixture;
    const server = await Server.start(t, { DATABASE_URL: 'sqlite::memory:' });
    const options = eventStyle && { auth: { eventStyle } };
    const sender = new Hearing(await Client.connect(server, LATEST, options), 'sender');
    const listener = new Hearing(await Client.connect(server, LATEST, options), 'listener');
    for (const project of projects) {
      await listener.client.join(project);
      if (joined) await sender.client.join(project);
    }

    const bound = new Map();
    for (const [index, step] of steps.entries()) {
      checkKeys(step, STEP_KEYS);
      await runStep(step, `step ${index + 1} (${step.emit[0]})`, sender, listener, bound);
    }
    await listener.checkNothingMore();
    await sender.checkNothingMore();
  });
}
