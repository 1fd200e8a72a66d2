// Publishes in Redis, over one connection that is made when it is needed: the few lines of its protocol that this takes.

import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const TIMEOUT_MS = 5_000;

export class RedisPublisher {
  #url;
  #socket;
  #waiting = [];
  #text = '';

  constructor(url) {
    this.#url = new URL(url);
  }

  close() {
    this.#socket?.destroy();
  }

  /** Resolves to the number of those who have heard it. */
  publish(channel, message) {
    return this.#command('PUBLISH', channel, message);
  }

  #command(...words) {
    const socket = this.#open();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      socket.write(encode(words));
    });
  }

  #open() {
    if (this.#socket && !this.#socket.destroyed) return this.#socket;
    const { protocol, hostname, port, username, password } = this.#url;
    const address = { host: hostname, port: Number(port || 6379) };
    const socket = protocol === 'rediss:' ? connectTls({ ...address, servername: hostname }) : connect(address);
    const waiting = [];
    [this.#socket, this.#waiting, this.#text] = [socket, waiting, ''];
    const fail = (error) => waiting.splice(0).forEach(({ reject }) => reject(error));
    const isLate = () => waiting.length > 0 && socket.destroy(new Error('Redis does not answer'));
    socket.setEncoding('utf8').setTimeout(TIMEOUT_MS, isLate);
    socket.on('data', (text) => this.#take(text));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('Redis has closed the connection')));
    if (password) {
      const words = username ? [username, password] : [password];
      this.#waiting.push({ resolve() {}, reject: (error) => socket.destroy(error) });
      socket.write(encode(['AUTH', ...words.map(decodeURIComponent)]));
    }
    return socket;
  }

  /** Answers of one line: a number, `+OK`, or an error. */
  #take(text) {
    const lines = (this.#text + text).split('\r\n');
    this.#text = lines.pop();
    for (const line of lines) {
      const { resolve, reject } = this.#waiting.shift() ?? {};
      if (line.startsWith('-')) reject?.(new Error(line.slice(1)));
      else resolve?.(Number(line.slice(1)));
    }
  }
}

function encode(words) {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join('')}`;
}
