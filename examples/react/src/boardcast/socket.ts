import type { AnswerOf, ClientToServerEvents, PayloadOf, ServerToClientEvents } from 'boardcast';
import { io, type Socket } from 'socket.io-client';

export type BoardSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/** How long an answer may take. Nobody knows then whether a change was made; its key makes it safe to send it again. */
const PATIENCE_MS = 10_000;

export interface Identity {
  /** A fresh token each time, where the server wants one. */
  token?: () => Promise<string>;
  /** Who one is on a server that verifies no tokens. */
  userId?: string;
}

export function connect(url: string, { token, userId }: Identity = {}): BoardSocket {
  return io(url, {
    // Asked for again at each reconnect: tokens expire.
    auth: (done) => {
      void Promise.resolve(token?.()).then((shown) => done({ token: shown, userId }));
    },
    // A connection that breaks while it is being made is given up sooner than after the 20 s of the default.
    timeout: 5_000,
  });
}

/** Sends a message and waits for its answer; fails if there is none in time. */
export function ask<Name extends keyof ClientToServerEvents>(
  socket: BoardSocket,
  name: Name,
  payload: PayloadOf<Name>,
): Promise<AnswerOf<Name>> {
  // The declarations of socket.io-client forget what the answer is as soon as there is a timeout.
  const patient = socket.timeout(PATIENCE_MS) as unknown as Untyped<AnswerOf<Name>>;
  return patient.emitWithAck(name, payload);
}

interface Untyped<T> {
  emitWithAck(name: string, payload: unknown): Promise<T>;
}
