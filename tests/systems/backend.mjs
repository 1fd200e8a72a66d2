// What the backends of the pages do: publish over HTTP.

import assert from 'node:assert/strict';

/** Publishes an event, and answers what the server says. */
export async function publish(server, channel, type, data, more = {}) {
  const response = await fetch(`${server.url}/api/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ channel, type, data, ...more }),
  });
  const answer = await response.json();
  assert.ok(response.ok, JSON.stringify(answer));
  return answer;
}

/** The JSON that the server answers to a GET. */
export const get = async (server, path) => (await fetch(server.url + path)).json();
