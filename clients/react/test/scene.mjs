// A server, a page of it with the scenes, and what is published to it. One browser serves all tests of a file.

import { after } from 'node:test';
import { Server } from '../../../tests/clients/server.mjs';
import { Browser, Page, bundle } from './browser.mjs';

const browser = await Browser.start({ after });
const scripts = { 18: bundle(18), 19: bundle(19) };

/** Starts a server and opens a page that comes from it, so that no component has to say where it is. */
export async function start(t, version = 19, env = {}) {
  const server = await Server.start(t, env);
  return { server, page: await open(t, server.url, version) };
}

/** Opens one more page, at any address. */
export async function open(t, url, version = 19) {
  const page = await Page.open(browser, `${url}/health`, await scripts[version]);
  t.after(() => page.close());
  return page;
}

/** Publishes as a backend does. */
export async function publish(server, channel, type, data) {
  const response = await fetch(`${server.url}/api/publish`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ channel, type, data }),
  });
  if (!response.ok) throw new Error(await response.text());
}
