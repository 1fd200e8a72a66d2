// A network that loses answers: passes a WebSocket on, message by message, but the acks that a test wants lost.

import { once } from 'node:events';
import WebSocket from 'ws';

const COMMAND = /^42(?<id>\d+)(?<text>\[.*)$/s;
const ACK = /^43(?<id>\d+)(?<text>\[.*)$/s;

export class AckFilter {
  #lose;
  #server;
  #sockets = [];
  #target;
  /** For each command, by its text: how often it was sent, and all answers, lost ones included. */
  commands = new Map();

  /** Starts it in front of `target`; `lose(tries)` says what becomes of an answer: 'pass', 'drop' or 'cut'. */
  static async start(scope, target, lose) {
    const filter = new AckFilter();
    filter.#target = target;
    filter.#lose = lose;
    filter.#server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    await once(filter.#server, 'listening');
    filter.#server.on('connection', (client, { url }) => filter.#accept(client, url));
    scope.after(() => filter.#stop());
    return filter;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Closes `socket` when it ends. */
  attach(socket) {
    this.#sockets.push(socket);
  }

  #accept(client, path) {
    const server = new WebSocket(`ws://127.0.0.1:${this.#target.port}${path}`);
    const opened = once(server, 'open');
    // At the end of a test the server may be gone while a client still comes back: 'close' follows.
    opened.catch(() => {});
    const pending = new Map();
    client.on('message', async (text) => {
      const sent = text.match(COMMAND)?.groups;
      if (sent) pending.set(sent.id, this.#sent(sent.text));
      await opened;
      server.send(text);
    });
    server.on('message', (text) => {
      const answer = text.match(ACK)?.groups;
      const command = answer && pending.get(answer.id);
      command?.answers.push(JSON.parse(answer.text)[0]);
      const fate = command ? this.#lose(command.tries) : 'pass';
      if (fate === 'pass') client.send(text);
      if (fate === 'cut') client.terminate();
    });
    for (const [end, other] of [[client, server], [server, client]]) {
      end.on('error', () => {}); // 'close' follows
      end.on('close', () => other.terminate());
    }
  }

  #sent(text) {
    const command = this.commands.get(text) ?? { tries: 0, answers: [] };
    this.commands.set(text, command);
    command.tries += 1;
    return command;
  }

  #stop() {
    for (const socket of this.#sockets) socket.close();
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }
}
