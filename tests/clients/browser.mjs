// A real browser, headless, and pages in it.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { eventually } from './wait.mjs';

const PROGRAM = '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export class Browser {
  #context;
  #origin;

  /** Starts a browser that ends with `scope`. */
  static async start(scope) {
    const browser = new Browser();
    const directory = await mkdtemp(join(tmpdir(), 'boardcast-browser-'));
    const options = { executablePath: PROGRAM, args: FLAGS, headless: true, chromiumSandbox: false };
    browser.#context = await chromium.launchPersistentContext(directory, options);
    const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
    await once(site.listen(0, '127.0.0.1'), 'listening');
    browser.#origin = `http://127.0.0.1:${site.address().port}`;
    scope.after(async () => {
      await browser.#context.close();
      site.close();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    });
    return browser;
  }

  /** An empty page of an origin of its own. */
  async page() {
    const page = await this.#context.newPage();
    await page.goto(this.#origin);
    return page;
  }
}

/** An EventSource in a page, as frontends use it. */
export class Source {
  #page;
  #handle;

  static async open(page, url, names = []) {
    const source = new Source();
    source.#page = page;
    source.#handle = await page.evaluateHandle(open, [url, names]);
    return source;
  }

  /** What it has heard by now: `{messages: [{name, id, data}], opens, state}`. */
  async look() {
    return this.#page.evaluate(({ messages, opens, source }) => ({ messages, opens, state: source.readyState }), this.#handle);
  }

  /** Waits until it has opened so often. */
  async opened(times) {
    await eventually(async () => (await this.look()).opens >= times, `an EventSource to open ${times} times`);
  }

  /** Waits until it has heard so much. */
  async heard(count) {
    let seen;
    const enough = async () => (seen = await this.look()).messages.length >= count;
    await eventually(enough, () => `${count} messages; there are ${seen.messages.length}, and its state is ${seen.state}`);
    return seen.messages;
  }

  /** Waits until it has given up. */
  async closed() {
    await eventually(async () => (await this.look()).state === 2, 'an EventSource to give up');
  }
}

/** Runs in the page. */
function open([url, names]) {
  const heard = { source: new EventSource(url), messages: [], opens: 0 };
  const listener = ({ type, lastEventId, data }) => heard.messages.push({ name: type, id: lastEventId, data });
  for (const name of ['message', ...names]) heard.source.addEventListener(name, listener);
  heard.source.onopen = () => (heard.opens += 1);
  return heard;
}
