// Components in a real browser, in development builds of both versions of React and in StrictMode, so that effects run twice.

import { build } from 'esbuild';
import { Browser } from '../../../tests/clients/browser.mjs';
import { eventually } from '../../../tests/clients/wait.mjs';

const REACT = {
  18: { react: 'react18', 'react-dom': 'react-dom18' },
  19: {},
};

/** The script of a page; `scenes.tsx` says what it can show. */
export async function bundle(version) {
  const { outputFiles } = await build({
    entryPoints: [new URL('scenes.tsx', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"development"' },
    alias: {
      ...REACT[version],
      '@/hooks/use-websocket': '@boardcast/react',
      '@/services/websocket.service': new URL('service.ts', import.meta.url).pathname,
    },
  });
  return outputFiles[0].text;
}

export class Page {
  /** What the page logged, `{type, text}`. */
  logged = [];
  #page;

  /** Opens a page at `url`, with a script in it. */
  static async open(browser, url, script) {
    const page = new Page();
    page.#page = await browser.page();
    page.#page.on('console', (message) => page.logged.push({ type: message.type(), text: message.text() }));
    page.#page.on('pageerror', (error) => page.logged.push({ type: 'error', text: String(error) }));
    await page.#page.goto(url);
    await page.#page.addScriptTag({ content: script });
    return page;
  }

  /** Shows scenes, `{name, props}`, in place of those before; below a provider if it is said where the server is. */
  async show(scenes, where) {
    await this.#page.evaluate(([scenes, where]) => window.show(scenes, where), [[scenes].flat(), where]);
  }

  /** Waits until so many event streams of the page are open: who is not there yet misses what is published. */
  async streams(count) {
    await eventually(() => this.#page.evaluate(() => window.streams()).then((open) => open >= count), `${count} open streams`);
  }

  /** What the scenes have noted, or one thing of it. */
  async seen(name) {
    return this.#page.evaluate((name) => (name ? window.seen[name] : window.seen), name);
  }

  /** How many messages of a type the scenes have noted: looking at thousands of them again and again would keep the page busy. */
  async heard(type) {
    return this.#page.evaluate((type) => window.seen.messages.filter((message) => message.type === type).length, type);
  }

  /** Unmounts everything. */
  async leave() {
    await this.#page.evaluate(() => window.leave());
  }

  /** What stands on the page. */
  async text() {
    return this.#page.evaluate(() => document.body.innerText);
  }

  /** Waits until this stands on the page. */
  async shows(expected) {
    let text;
    const found = async () => (text = await this.text()).includes(expected);
    await eventually(found, () => `${JSON.stringify(expected)} on the page; there is ${JSON.stringify(text)}`);
    return text;
  }

  async click(name) {
    await this.#page.getByRole('button', { name }).click();
  }

  async close() {
    await this.#page.close();
  }

  /** What React and the browser complained of, lost connections apart. */
  get complaints() {
    return this.logged.filter(({ type, text }) => ['error', 'warning'].includes(type) && !/net::ERR|WebSocket connection|favicon|Failed to load/.test(text));
  }
}

export { Browser };
