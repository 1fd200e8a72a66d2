// A component's place in a project: it joins at each connection, and hears how that went.

import type { BoardcastClient, Id, JoinAnswer, Refused } from '@boardcast/client';
import { keyOf } from './board.js';
import { ask, listen, occupy } from './socket.js';

/** `refused`: the server does not let this client in, and trying again would not help. */
export type Connection = 'connecting' | 'live' | 'offline' | 'refused';

export interface Membership {
  /** Whether the answer to a join has the project's state. */
  readonly snapshot: boolean;
  /** Whether the server is to tell who comes and goes: it tells only those who ask. */
  readonly presence?: boolean;
  /** Whether to join again after a recovered connection, which has missed no event, but maybe a signal. */
  readonly needsSignals: boolean;
  /** A join was sent. Events may come before its answer. */
  onJoining(): void;
  onJoined(answer: JoinAnswer): void;
  onConnection(connection: Connection, error: string | null): void;
  /** The client was turned out of the project. */
  onRevoked(): void;
}

/** How long to wait after a refusal that may pass. */
const RETRY_MS = 1_000;

/** A component's place in a project. */
export interface Place {
  /** Joins again: the answer has the list of those who are present. */
  readonly refresh: () => void;
  readonly leave: () => void;
}

/** Codes of a refusal that the same credentials will meet again. */
const FINAL = ['unauthenticated', 'forbidden'];

/** Keeps a component in a project until it leaves. */
export function enter(client: BoardcastClient, projectId: Id, membership: Membership): Place {
  const { socket } = client;
  let [left, joined, joins] = [false, false, 0];
  let reason: string | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const vacate = occupy(socket, projectId);

  const join = async (): Promise<void> => {
    const number = ++joins;
    // Until it is answered: a connection that is recovered meanwhile may not have the project.
    joined = false;
    clearTimeout(retry);
    membership.onJoining();
    const { snapshot, presence } = membership;
    const payload = { projectId, snapshot, ...(presence && { presence }) };
    const answer = await ask(socket, 'join:project', payload).catch(() => null);
    if (left || number !== joins) return;
    // No answer in time. If the connection broke, `connect` comes again.
    if (!answer) return socket.connected ? join() : undefined;
    if (!answer.ok) return refused(answer);
    joined = true;
    membership.onJoined(answer);
    membership.onConnection('live', null);
  };
  const refused = ({ error, retryable, retryAfterMs }: Refused) => {
    membership.onConnection(retryable ? 'offline' : 'refused', error);
    if (retryable) retry = setTimeout(() => socket.connected && void join(), retryAfterMs ?? RETRY_MS);
  };

  const stop = listen(socket, {
    // After a short break the server goes on where it was, by itself, and nothing is missing.
    connect: () => {
      if (socket.recovered && joined && !membership.needsSignals) membership.onConnection('live', null);
      else void join();
    },
    disconnect: () => membership.onConnection('offline', null),
    connect_error: ({ message }) => {
      reason = message;
      const isFinal = client.state === 'failed' || FINAL.includes(message);
      membership.onConnection(isFinal ? 'refused' : 'offline', message);
    },
    'session:reset': () => void join(),
    'project:access_revoked': (revoked) => {
      if (keyOf(revoked.projectId) !== keyOf(projectId)) return;
      joined = false;
      membership.onRevoked();
      membership.onConnection('refused', 'you are no longer in this project');
    },
  });
  const stopState = client.onState(({ state }) => {
    if (state === 'failed') membership.onConnection('refused', reason);
  });
  if (socket.connected) void join();
  const leave = () => {
    left = true;
    clearTimeout(retry);
    stop();
    stopState();
    vacate();
  };
  return { leave, refresh: () => socket.connected && void join() };
}
