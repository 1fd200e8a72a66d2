// One request to the server.

import { RefusedError, UnreachableError } from './errors.js';
import type { ManagerOptions } from './types.js';

const environment: Record<string, string | undefined> = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};

/** A refusal, or a failure, and whether it makes sense to try again. */
export interface Failure {
  readonly error: RefusedError | UnreachableError;
  /** `no`: never; `unsent`: the message had no effect; `unknown`: it may have had one. */
  readonly retry: 'no' | 'unsent' | 'unknown';
  /** When the server wants it. */
  readonly afterMs: number | undefined;
}

/** What the server answered, or why not. */
export type Outcome<T> = { readonly answer: T } | Failure;

/** Refusals of HTTP proxies, too. */
const RETRYABLE = new Set([429, 502, 503, 504]);
/** Nobody has heard the request. */
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

export class Http {
  readonly #base: string;
  readonly #options: ManagerOptions;

  constructor(options: ManagerOptions) {
    const url = new URL(options.url ?? (environment['BOARDCAST_URL'] || 'http://localhost:8002'));
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`url: ${url.href} is no address over HTTP`);
    this.#base = url.href.replace(/\/$/, '');
    this.#options = options;
  }

  /** The JSON at a path. */
  get<T>(path: string): Promise<Outcome<T>> {
    return this.#request(path, { method: 'GET' }, {});
  }

  post<T>(path: string, body: string, headers: Record<string, string>): Promise<Outcome<T>> {
    return this.#request(path, { method: 'POST', body }, { 'Content-Type': 'application/json', ...headers });
  }

  async #request<T>(path: string, init: RequestInit, headers: Record<string, string>): Promise<Outcome<T>> {
    const { fetch: request = fetch, timeoutMs = 10_000 } = this.#options;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await request(this.#base + path, { ...init, signal, headers: { ...headers, ...(await this.#credential()) } });
      const text = await response.text();
      if (response.ok) return { answer: JSON.parse(text) as T };
      return refusal(response, text);
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { code?: string } };
      const isUnsent = cause?.code !== undefined && UNSENT.has(cause.code);
      const why = cause?.code ?? message;
      return { error: new UnreachableError(`${this.#base}: ${why}`), retry: isUnsent ? 'unsent' : 'unknown', afterMs: undefined };
    }
  }

  async #credential(): Promise<Record<string, string>> {
    const { token, apiKey = token ? undefined : environment['BOARDCAST_API_KEY'] } = this.#options;
    const shown = typeof token === 'function' ? await token() : token;
    return { ...(shown && { Authorization: `Bearer ${shown}` }), ...(apiKey && { 'X-API-Key': apiKey }) };
  }
}

function refusal(response: Response, text: string): Failure {
  let problem: Record<string, unknown> = {};
  try {
    problem = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // A proxy's page.
  }
  const said = (key: string) => (typeof problem[key] === 'string' ? (problem[key] as string) : undefined);
  const message = said('error') ?? said('detail') ?? said('title') ?? `HTTP ${response.status}`;
  const error = new RefusedError(message, said('code') ?? `http_${response.status}`, response.status, said('field'), problem);
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  const afterMs = Number.isFinite(seconds) ? seconds * 1_000 : undefined;
  // What the server itself refuses had no effect; of a proxy's word nobody knows.
  const isOurs = said('code') !== undefined;
  return { error, retry: !RETRYABLE.has(response.status) ? 'no' : isOurs ? 'unsent' : 'unknown', afterMs };
}
