// As much of a Redis client as the pages' backends use: RESP over TCP.

import { once } from 'node:events';
import { connect } from 'node:net';
import { eventually } from '../clients/wait.mjs';

export class RedisClient {
  #socket;
  #text = '';
  /** Messages of the channels that this client has subscribed to: `[channel, text]`. */
  messages = [];

  /** Connects to the Redis at `url`, until the test `t` ends. */
  static async connect(t, url) {
    const client = new RedisClient();
    const { hostname, port } = new URL(url);
    client.#socket = connect(Number(port), hostname);
    client.#socket.setEncoding('utf8').on('data', (text) => client.#read(text));
    await once(client.#socket, 'connect');
    // Redis may end first, and rudely: without a listener that would end the file before its other hooks have run.
    client.#socket.on('error', () => {});
    t.after(() => client.#socket.destroy());
    return client;
  }

  /** Answers how many have heard `text`. */
  publish = (channel, text) => this.#ask(`*3\r\n${bulk('PUBLISH')}${bulk(channel)}${bulk(text)}`, /^:(\d+)\r\n/);

  /** The text that is kept under `key`, or null. */
  get = async (key) => (await this.#ask(`*2\r\n${bulk('GET')}${bulk(key)}`, /^\$(?:-1|\d+\r\n([^]*?))\r\n/)) ?? null;

  /** Hears `channel` from now on; this connection can ask nothing more. */
  async subscribe(channel) {
    await this.#ask(`*2\r\n${bulk('SUBSCRIBE')}${bulk(channel)}`, /^\*3\r\n\$9\r\nsubscribe\r\n\$\d+\r\n([^\r]*)\r\n:\d+\r\n/);
    this.#socket.on('data', () => this.#take());
    this.#take();
  }

  async #ask(request, answer) {
    this.#socket.write(request);
    const match = await eventually(() => this.#text.match(answer), `an answer of Redis; it said ${this.#text}`);
    this.#text = this.#text.slice(match[0].length);
    return match[1];
  }

  #take() {
    const message = /^\*3\r\n\$7\r\nmessage\r\n\$\d+\r\n([^\r]*)\r\n\$\d+\r\n([^]*?)\r\n/;
    for (let match; (match = this.#text.match(message)); this.#text = this.#text.slice(match[0].length)) {
      this.messages.push([match[1], match[2]]);
    }
  }

  #read(text) {
    this.#text += text;
  }
}

const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
