import { connect, type BoardcastClient } from '@boardcast/client';
import { completed } from './address.js';

export type Token = string | undefined;

export interface Identity {
  /** A token, or how to get one: it is asked for at each connection, because tokens expire. */
  readonly token?: Token | (() => Token | Promise<Token>);
  /** Who one is, on a server that verifies no tokens. */
  readonly userId?: string | undefined;
}

export interface ServerOptions extends Identity {
  readonly url?: string | undefined;
  readonly client?: BoardcastClient | undefined;
}

/** The token of now. */
export async function tokenOf(token: Identity['token']): Promise<Token> {
  return typeof token === 'function' ? token() : token;
}

/** A server, who talks to it, and the Socket.IO connection that all hooks share. */
export class Server {
  readonly #options: ServerOptions;
  #made: BoardcastClient | null = null;
  #holders = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** Keeps the connection that hooks may make, until the returned function is called. */
  hold(): () => void {
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      // StrictMode lets go and holds again at once.
      queueMicrotask(() => this.#closeIfUnused());
    };
  }

  /** The connection; it is made at the first call. */
  client(): BoardcastClient {
    return this.#options.client ?? (this.#made ??= this.#connect());
  }

  /**
   * The complete address of a path. It has the credentials in it if it is one of this server: neither streams nor
   * WebSockets of a page can send headers.
   */
  async address(path: string): Promise<URL> {
    const url = this.completed(path);
    const { token, userId } = this.identityAt(path);
    const shown = { token: await tokenOf(token), userId };
    for (const [name, value] of Object.entries(shown)) {
      if (value !== undefined && !url.searchParams.has(name)) url.searchParams.set(name, value);
    }
    return url;
  }

  /** Asks the server over HTTP. */
  async fetch(path: string, adminToken?: string): Promise<Response> {
    const { token, userId } = this.identityAt(path);
    const shown = adminToken ?? (await tokenOf(token));
    const headers = { ...(shown !== undefined && { Authorization: `Bearer ${shown}` }), ...(userId !== undefined && { 'X-User-Id': userId }) };
    return fetch(this.completed(path), { headers });
  }

  /** The complete address of a path. */
  completed(path: string): URL {
    return completed(path, this.#options.url);
  }

  /** Who one is at an address: nobody, if it is one of another server. */
  identityAt(path: string): Identity {
    return this.completed(path).origin === this.#origin() ? this.#options : {};
  }

  #origin(): string {
    return completed('/', this.#options.url).origin;
  }

  #connect(): BoardcastClient {
    const { token, userId } = this.#options;
    return connect(this.#origin(), { ...(userId !== undefined && { userId }), ...(token !== undefined && { token: async () => tokenOf(token) }) });
  }

  #closeIfUnused(): void {
    if (this.#holders > 0) return;
    this.#made?.close();
    this.#made = null;
  }
}
