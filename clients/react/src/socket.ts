// Small things that Socket.IO's client lacks.

import type { AnswerOf, ClientToServerEvents, Id, PayloadOf, ServerToClientEvents } from '@boardcast/client';
import { keyOf } from './board.js';

/** What is used of the socket of socket.io-client. */
export interface BoardSocket {
  readonly connected: boolean;
  readonly recovered: boolean;
  on(name: string, listener: (...args: any[]) => void): unknown;
  off(name: string, listener: (...args: any[]) => void): unknown;
  emit(name: string, ...args: any[]): unknown;
  timeout(ms: number): { emitWithAck(name: string, ...args: any[]): Promise<any> };
}

/** How long an answer may take. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Sends a message and waits for its answer; fails if there is none in time. */
export function ask<Name extends keyof ClientToServerEvents>(
  socket: BoardSocket,
  name: Name,
  payload: PayloadOf<Name>,
): Promise<AnswerOf<Name>> {
  return socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(name, payload);
}

export interface Listeners extends Partial<ServerToClientEvents> {
  connect?: () => void;
  disconnect?: () => void;
  connect_error?: (reason: Error) => void;
}

/** Adds listeners, and returns how to take them away. */
export function listen(socket: BoardSocket, listeners: Listeners): () => void {
  const entries: Array<[string, (...args: any[]) => void]> = Object.entries(listeners);
  for (const [name, listener] of entries) socket.on(name, listener);
  return () => entries.forEach(([name, listener]) => socket.off(name, listener));
}

/** How many components are in each project that a connection has joined. */
const occupied = new WeakMap<BoardSocket, Map<string, number>>();

/** Counts a component into a project. The returned function counts it out, and the last one leaves the project. */
export function occupy(socket: BoardSocket, projectId: Id): () => void {
  const counts = occupied.get(socket) ?? new Map<string, number>();
  occupied.set(socket, counts);
  const key = keyOf(projectId);
  counts.set(key, (counts.get(key) ?? 0) + 1);
  return () => {
    const others = (counts.get(key) ?? 1) - 1;
    if (others > 0) return void counts.set(key, others);
    counts.delete(key);
    if (socket.connected) socket.emit('leave:project', projectId);
  };
}
