// Every file in fixtures/payloads, end to end: a real client takes the fixture's steps, and hears what the fixture says
// and nothing more. A second client only listens: it must hear the same changes, each once and in order.
// fixtures/README.md describes the format.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Client, LATEST } from './clients.mjs';
import { assertMatches, withBound } from './match.mjs';
import { Server } from './server.mjs';

const FOLDER = new URL('../../fixtures/payloads/', import.meta.url);
const FIXTURE_KEYS = ['name', 'description', 'projects', 'joined', 'eventStyle', 'steps'];
const SIGNALS = ['typing', 'task:editing']; // they are not in the log
const STEP_KEYS = ['emit', 'ack', 'events'];

// A misspelt key would be an expectation that nobody looks at.
function checkKeys(object, known) {
  assert.deepEqual(Object.keys(object).filter((key) => !known.includes(key)), [], 'unknown keys in the fixture');
}

async function takeStep(client, { emit, ack, events }, taken, bound, label) {
  const args = withBound(emit, bound);
  if (ack === null) {
    client.emit(...args);
  } else {
    assertMatches(await client.call(...args), ack, bound, `${label}, ack`);
  }
  const heard = (await client.heard(taken + events.length)).slice(taken, taken + events.length);
  assert.deepEqual(heard.map(({ name }) => name), events.map(({ name }) => name), label);
  for (const [index, { name, payload = {} }] of events.entries()) {
    assertMatches(heard[index].payload, payload, bound, `${label}, ${name}`);
  }
}

/** Checks that `listened` tells each of `projects` from its first change on, and tells alike what is in `heard`. */
function checkListener(projects, listened, heard) {
  const heads = new Map(projects.map((project) => [String(project), 0]));
  const told = new Map();
  const place = ({ projectId, seq }) => `${projectId} ${seq}`;
  for (const { name, payload } of listened) {
    const project = String(payload.projectId);
    assert.equal(payload.seq, heads.get(project) + 1, `the listener hears no gap, nothing twice, no errors: ${name}`);
    heads.set(project, payload.seq);
    told.set(place(payload), { name, payload });
  }
  for (const { name, payload } of heard.filter(({ payload }) => heads.has(String(payload.projectId)))) {
    assert.deepEqual({ name, payload }, told.get(place(payload)), 'both hear the same');
  }
}

const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
assert.notEqual(files.length, 0, 'no fixtures of payloads found');

for (const file of files) {
  test(`payload ${file}`, async (t) => {
    const fixture = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
    checkKeys(fixture, FIXTURE_KEYS);
    const { projects = [], joined = true, eventStyle, steps } = fixture;
    const server = await Server.start(t, { DATABASE_URL: 'sqlite::memory:' });
    const options = eventStyle && { auth: { eventStyle } };
    const client = await Client.connect(server, LATEST, options);
    const listener = await Client.connect(server, LATEST, options);
    for (const project of projects) {
      await listener.join(project);
      if (joined) await client.join(project);
    }

    const bound = new Map();
    let taken = 0;
    for (const [index, step] of steps.entries()) {
      checkKeys(step, STEP_KEYS);
      await takeStep(client, step, taken, bound, `step ${index + 1} (${step.emit[0]})`);
      taken += step.events.length;
    }
    const heard = await client.settled();
    assert.deepEqual(heard.slice(taken), [], 'nothing more is heard');
    const logged = (await listener.settled()).filter(({ name }) => !SIGNALS.includes(name));
    checkListener(projects, logged, heard);
  });
}
