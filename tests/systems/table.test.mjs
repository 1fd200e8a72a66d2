// The tables of README.md: each test that they name exists, and each code block of a page has a row.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const ROOT = new URL('../../', import.meta.url);
const SECTIONS = {
  'a: IDE dashboard': 'a-ide-dashboard',
  'b: chat agent': 'b-chat-agent',
  'c: AI canvas': 'c-ai-canvas',
  'd: agent platform': 'd-agent-platform',
  Relay: 'socketio-service',
};
const NO_TEST = ['*own*', '*later*'];

const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');

/** The rows of a section: `{blocks, requirement, tests}`. */
function rows(title) {
  const section = readme.split(/^## /m).find((each) => each.startsWith(`${title}\n`));
  assert.ok(section, `README.md has a section ${title}`);
  return [...section.matchAll(/^\| (.*) \|$/gm)].slice(1).map(([, row]) => {
    const [blocks, requirement, , tests] = row.split(' | ');
    assert.ok(tests, `four columns: ${row}`);
    return { blocks: blocks.split(', '), requirement, tests };
  });
}

for (const [title, folder] of Object.entries(SECTIONS)) {
  test(`${title}: each row names tests that exist`, () => {
    for (const { requirement, tests } of rows(title)) {
      if (NO_TEST.includes(tests)) continue;
      const named = [...tests.matchAll(/`([^`:]+): ([^`]+)`/g)];
      assert.equal(named.map(([whole]) => whole).join(', '), tests, `what stands for a test of: ${requirement}`);
      for (const [, file, name] of named) {
        const url = new URL(file, ROOT);
        assert.ok(existsSync(url), `${file} is there, for: ${requirement}`);
        assert.ok(declared(readFileSync(url, 'utf8'), name), `${file} has the test ${name}`);
      }
    }
  });

  test(`${title}: each code block has a row`, () => {
    const named = new Set(rows(title).flatMap(({ blocks }) => blocks));
    for (const file of readdirSync(new URL(`snippets/${folder}`, import.meta.url))) {
      assert.ok(named.has(file.slice(0, 2)), `${folder}/${file} has a row`);
    }
  });
}

/** Whether a test of that name is declared: a function, or the text that `test` and the like are given. */
function declared(source, name) {
  const quoted = [`'${name.replaceAll("'", "\\'")}'`, `"${name}"`, `: ${name}\``, `\`${name}\``];
  return /^\w+$/.test(name) ? new RegExp(`\\b(fn|def) ${name}\\(`).test(source) : quoted.some((text) => source.includes(text));
}
