// One connection, from its address to its end. It tells its end once, also when the network says nothing.

import type { WebSocketConstructor, WebSocketLike } from './types.js';

/** How a connection ended. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
}

interface Owner {
  /** A text message came. */
  onText(text: string): void;
  /** The connection has ended, for whatever reason. */
  onEnd(ending: Ending): void;
  /** The connection was silent for `pingIntervalMs`: ask whether the server is there. */
  onSilence(): void;
}

interface Timeouts {
  readonly connectTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
}

const OPEN = 1;

export class Connection {
  readonly #socket: WebSocketLike;
  readonly #owner: Owner;
  readonly #timeouts: Timeouts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasEnded = false;
  #lastHeard = 0;
  #isAsking = false;

  constructor(url: string, Implementation: WebSocketConstructor, owner: Owner, timeouts: Timeouts, onOpen: () => void) {
    this.#owner = owner;
    this.#timeouts = timeouts;
    this.#socket = new Implementation(url);
    this.#socket.onopen = () => {
      if (!this.#hasEnded) onOpen();
    };
    this.#socket.onmessage = ({ data }: { data: unknown }) => {
      this.#lastHeard = Date.now();
      this.#isAsking = false;
      if (!this.#hasEnded && typeof data === 'string') owner.onText(data);
    };
    // An error is always followed by the end.
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code, reason }: Partial<Ending>) => this.#end({ code: code ?? 1006, reason: String(reason ?? '') });
    this.#timer = setTimeout(() => this.abandon('the server did not greet in time'), timeouts.connectTimeoutMs);
  }

  /** The server has greeted: from now on silence is looked at. */
  greeted(): void {
    clearTimeout(this.#timer);
    this.#lastHeard = Date.now();
    if (this.#timeouts.pingIntervalMs > 0) this.#watch(this.#timeouts.pingIntervalMs);
  }

  /** Whether the message was handed over. */
  send(text: string): boolean {
    if (this.#hasEnded || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** Says goodbye. */
  close(code: number, reason: string): void {
    this.#finish(code, reason, { code, reason });
  }

  /** Gives the connection up without waiting for the other end, which may be gone. */
  abandon(reason: string): void {
    this.#finish(4000, reason, { code: 1006, reason });
  }

  #finish(code: number, reason: string, ending: Ending): void {
    if (this.#hasEnded) return;
    try {
      this.#socket.close(code, reason);
    } catch {
      // It was not open yet, or its class knows no such code.
    }
    this.#end(ending);
  }

  #end(ending: Ending): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#owner.onEnd(ending);
  }

  #watch(afterMs: number): void {
    this.#timer = setTimeout(() => {
      const { pingIntervalMs, pongTimeoutMs } = this.#timeouts;
      const silentMs = Date.now() - this.#lastHeard;
      if (this.#isAsking) return this.abandon(`the server said nothing for ${silentMs} ms`);
      if (silentMs < pingIntervalMs) return this.#watch(pingIntervalMs - silentMs);
      this.#isAsking = true;
      this.#owner.onSilence();
      this.#watch(pongTimeoutMs);
    }, afterMs);
  }
}
