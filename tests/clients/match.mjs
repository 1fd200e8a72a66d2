// Expectations of the dialect fixtures: a subset of an object, with placeholders for what can't be known beforehand.

import assert from 'node:assert/strict';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PLACEHOLDERS = {
  $absent: (value) => value === undefined,
  $any: (value) => value !== undefined,
  $string: (value) => typeof value === 'string',
  $number: (value) => typeof value === 'number',
  $uuid: (value) => typeof value === 'string' && UUID.test(value),
};
const BIND = '$bind:';

/** Asserts that `actual` has all of `expected`; `$bind:NAME` takes its value from `bound`, or puts it there. */
export function assertMatches(actual, expected, bound, path) {
  if (typeof expected === 'string' && expected.startsWith('$')) {
    assertPlaceholder(actual, expected, bound, path);
  } else if (expected === null || typeof expected !== 'object') {
    assert.deepEqual(actual, expected, path);
  } else {
    assert.ok(actual !== null && typeof actual === 'object', `${path}: expected an object, got ${JSON.stringify(actual)}`);
    if (Array.isArray(expected)) assert.equal(actual.length, expected.length, `${path}: length`);
    for (const [key, value] of Object.entries(expected)) assertMatches(actual[key], value, bound, `${path}.${key}`);
  }
}

/** `value` with every `$bind:NAME` in it replaced by what was bound. */
export function withBound(value, bound) {
  if (typeof value === 'string' && value.startsWith(BIND)) {
    assert.ok(bound.has(value), `${value} is used before it was bound`);
    return bound.get(value);
  }
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => withBound(item, bound));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withBound(item, bound)]));
}

function assertPlaceholder(actual, expected, bound, path) {
  if (expected.startsWith(BIND)) {
    assert.notEqual(actual, undefined, path);
    if (!bound.has(expected)) bound.set(expected, actual);
    assert.deepEqual(actual, bound.get(expected), `${path}: ${expected}`);
  } else {
    assert.ok(expected in PLACEHOLDERS, `${path}: there is no placeholder ${expected}`);
    assert.ok(PLACEHOLDERS[expected](actual), `${path}: expected ${expected}, got ${JSON.stringify(actual)}`);
  }
}
