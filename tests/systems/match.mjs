// Compares what a server says with what a page shows. Members that the page does not show may stand beside: clients ignore
// what they do not know.

import assert from 'node:assert/strict';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const CLIENT = /^client_\d{10,}_[0-9a-z]+$/;

// What differs each time, by its name in the pages.
const ANY = {
  timestamp: (value) => (typeof value === 'number' ? value > 1.6e12 : ISO.test(value)),
  lastActivity: (value) => ISO.test(value),
  clientId: (value) => CLIENT.test(value),
};

/** Checks that `actual` has every member that the page's `shown` has, with the same value; `any` are names whose value is free. */
export function assertShown(actual, shown, any = [], path = '') {
  if (shown === null || typeof shown !== 'object') {
    assert.deepEqual(actual, shown, path);
    return;
  }
  assert.equal(typeof actual, 'object', path);
  for (const [key, value] of Object.entries(shown)) {
    const at = `${path}.${key}`;
    assert.ok(actual !== null && key in actual, `${at} is missing in ${JSON.stringify(actual)}`);
    if (any.includes(key)) assert.equal(typeof actual[key], typeof value, at);
    else if (ANY[key] && typeof value === typeof actual[key]) assert.ok(ANY[key](actual[key]), `${at}: ${actual[key]}`);
    else assertShown(actual[key], value, any, at);
  }
}
