// How the worker speaks: over HTTP to one client, a session or a channel, and through Redis, if there is one, of its jobs.

import { setTimeout as delay } from 'node:timers/promises';
import { RedisPublisher } from './redis.mjs';

const TRIES = 5;
const TIMEOUT_MS = 10_000;

export class Backend {
  #url;
  #headers;
  #redis;

  constructor({ url, apiKey, redisUrl }) {
    this.#url = url;
    this.#headers = { 'Content-Type': 'application/json', ...(apiKey && { 'X-API-Key': apiKey }) };
    this.#redis = redisUrl && new RedisPublisher(redisUrl);
  }

  close() {
    this.#redis?.close();
  }

  /** Answers a client that is connected, on whatever instance. */
  reply(clientId, type, data, correlationId) {
    return this.publish({ channel: `client:${clientId}`, type, data, correlationId });
  }

  /** Tells those of a session. */
  toSession(sessionId, type, data) {
    return this.publish({ channel: `session:${sessionId}`, type, data });
  }

  /** Tells pages what became of a job: `{channel, message}` of their EventSource. */
  announce(channel, message) {
    if (this.#redis) return this.#redis.publish(channel, JSON.stringify(message));
    return this.publish({ channel, type: 'message', data: message });
  }

  /** Publishes over HTTP, again if the server asks for that. */
  async publish(publication) {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#post(publication).catch((error) => ({ status: 0, body: { error: error.message } }));
      if (answer.status >= 200 && answer.status < 300) return answer.body;
      const isTemporary = answer.status === 0 || answer.status === 429 || answer.status >= 500;
      if (!isTemporary || tries === TRIES) throw new Error(`${publication.channel}: ${answer.status} ${answer.body.error}`);
      await delay(Math.min(answer.body.retryAfterMs ?? 200 * 2 ** tries, TIMEOUT_MS));
    }
  }

  async #post(publication) {
    const response = await fetch(`${this.#url}/api/publish`, {
      method: 'POST',
      headers: this.#headers,
      body: JSON.stringify(publication),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, body: await response.json().catch(() => ({})) };
  }
}
