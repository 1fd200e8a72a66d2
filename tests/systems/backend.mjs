// What the backends of the pages do: publish over HTTP. Each request has a connection of its own: one that is kept could
// have been to another server, which had the same port before.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';

/** Publishes an event, and answers what the server says. */
export async function publish(server, channel, type, data, more = {}) {
  const body = JSON.stringify({ channel, type, data, ...more });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const { status, answer } = await ask(server, '/api/publish', { method: 'POST', headers }, body);
  assert.ok(status < 300, JSON.stringify(answer));
  return answer;
}

/** The JSON that the server answers to a GET. */
export const get = async (server, path) => (await ask(server, path, {})).answer;

async function ask(server, path, options, body) {
  const sent = request(server.url + path, { agent: false, ...options });
  sent.end(body);
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  return { status: response.statusCode, answer: JSON.parse(text) };
}
