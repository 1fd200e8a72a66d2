// The ways in and out, without a client library: what a client says when it comes, and what it hears then.

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Plain, eventually, within } from './kit.mjs';

/** Posts JSON; answers the status and the body. */
export async function post(server, path, body, headers = {}) {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** Reads JSON. */
export async function get(server, path, headers = {}) {
  return (await fetch(`${server.url}${path}`, { headers })).json();
}

/** A Socket.IO session on long-polling. */
export class Polling {
  heard = [];
  #url;
  #stopped = new AbortController();

  static async open(t, server, auth) {
    const polling = new Polling();
    const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const opened = await (await fetch(url)).text();
    polling.#url = `${url}&sid=${JSON.parse(opened.slice(1)).sid}`;
    await polling.send(`40${JSON.stringify(auth)}`);
    t.after(() => polling.#stopped.abort());
    polling.#poll().catch((error) => (polling.failed = error));
    await eventually(() => polling.failed || polling.heard.some((packet) => packet.startsWith('4')), 'an answer to CONNECT');
    return polling;
  }

  async send(packet) {
    const response = await fetch(this.#url, { method: 'POST', body: packet });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  }

  /** Emits an event and answers what its ack carries. */
  async ask(id, ...args) {
    await this.send(`42${id}${JSON.stringify(args)}`);
    const start = `43${id}[`;
    const found = async () => {
      for (;;) {
        const ack = this.heard.find((packet) => packet.startsWith(start));
        if (ack) return JSON.parse(ack.slice(start.length - 1))[0];
        if (this.failed) throw this.failed;
        await delay(5);
      }
    };
    return within(found(), `an ack ${id}`);
  }

  async #poll() {
    for (;;) {
      const response = await fetch(this.#url, { signal: this.#stopped.signal });
      if (!response.ok) throw new Error(`a poll is answered ${response.status} ${await response.text()}`);
      for (const packet of (await response.text()).split('\x1e')) {
        if (packet === '2') await this.send('3');
        else this.heard.push(packet);
      }
    }
  }
}

/** What a stream of server-sent events says until it is ended by `stop`. */
export class Stream {
  text = '';
  #aborted = new AbortController();

  static async open(t, server, query, headers = {}) {
    const stream = new Stream();
    t.after(() => stream.stop());
    const response = await fetch(`${server.url}/api/events?${query}`, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: stream.#aborted.signal,
    });
    stream.status = response.status;
    stream.#read(response.body).catch(() => {});
    return stream;
  }

  stop() {
    this.#aborted.abort();
  }

  async #read(body) {
    for await (const bytes of body) this.text += Buffer.from(bytes).toString();
  }
}

async function enter(t, server, auth, tries = 5) {
  const pid = `${randomUUID().replaceAll('-', '')}-0`;
  const polling = await Polling.open(t, server, { ...auth, pid });
  try {
    await polling.ask(7, 'leave:project', 'barrier');
    return polling;
  } catch (error) {
    // A session that the server does not know any more is begun anew, as client libraries do.
    if (tries > 1 && /Session ID unknown/.test(String(error))) return enter(t, server, auth, tries - 1);
    throw error;
  }
}

/** Connects with a cursor at every door that takes one; answers what each has heard, as text, on each call. */
export async function comeBack(t, server, { token, cursor }) {
  const query = new URLSearchParams({ cursor, ...(token && { token }) });
  const flat = Plain.open(t, server, `/ws?${query}`);
  const enveloped = Plain.open(t, server, `/ws/v1?${query}`);
  const polling = await enter(t, server, { token, offset: cursor });
  await flat.next('connection');
  await enveloped.next('connect');
  return () => ({
    flat: JSON.stringify(flat.heard),
    enveloped: JSON.stringify(enveloped.heard),
    polling: polling.heard.join('\n'),
  });
}
