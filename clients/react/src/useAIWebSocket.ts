import type { SocketMessage, SocketState } from '@boardcast/client';
import type { RefObject } from 'react';
import type { Server } from './server.js';
import { useStore } from './store.js';
import { useSocketStore, type WebSocketOptions } from './useWebSocket.js';
import { SocketStore, type WebSocketCallbacks, type WebSocketConfig } from './webSocketStore.js';

export type AIStatus = 'idle' | 'processing' | 'complete' | 'error';

export interface AIProgress {
  readonly chunksReceived: number;
  readonly contentLength: number;
  readonly [field: string]: any;
}

export interface AIResult {
  readonly mode: string;
  readonly contentLength: number;
  readonly chunks: number;
  readonly targetFile?: string;
  readonly [field: string]: any;
}

export interface AIError {
  readonly message: string;
  readonly type: string;
  readonly [field: string]: any;
}

export interface AIView {
  readonly isConnected: boolean;
  readonly aiStatus: AIStatus;
  /** Of the run that is going on, or was the last. */
  readonly aiProgress: AIProgress | null;
  readonly aiResult: AIResult | null;
  readonly aiError: AIError | null;
  /** Hears another session in place of this one. */
  readonly subscribe: (sessionId: string) => void;
}

/** How the work of an AI in a session goes: `ai_start`, `ai_progress`, `ai_complete`, `ai_error`. */
export function useAIWebSocket(sessionId: string, options: Omit<WebSocketOptions, 'sessionId'> = {}): AIView {
  const store = useSocketStore(AIStore, { ...options, sessionId });
  const { state, ...work } = useStore(store);
  return { isConnected: state === 'open', ...work, subscribe: store.enter };
}

const IDLE = { aiStatus: 'idle', aiProgress: null, aiResult: null, aiError: null } as const;

interface AISnapshot extends Pick<AIView, 'aiStatus' | 'aiProgress' | 'aiResult' | 'aiError'> {
  readonly state: SocketState;
}

class AIStore extends SocketStore<AISnapshot> {
  #sessionId: string;

  constructor(server: Server, config: WebSocketConfig, callbacks: RefObject<WebSocketCallbacks>) {
    super({ state: 'idle', ...IDLE }, server, config, callbacks);
    this.#sessionId = config.sessionId ?? '';
  }

  readonly enter = (sessionId: string): void => {
    if (sessionId === this.#sessionId) return;
    this.#sessionId = sessionId;
    this.change(IDLE);
    void this.send({ type: 'subscribe', sessionId });
  };

  protected override onState(state: SocketState): void {
    this.change({ state });
  }

  protected override onMessage(message: SocketMessage): void {
    this.#follow(message);
    this.callbacks.current.onMessage?.(message);
  }

  #follow(message: SocketMessage): void {
    // In the envelope of `/ws/v1` it stands under `data`.
    const said = { ...message, ...(typeof message.data === 'object' ? message.data : null) };
    // What was on its way when another session was entered.
    if (said.sessionId !== undefined && String(said.sessionId) !== this.#sessionId) return;
    switch (message.type) {
      case 'ai_start':
        return this.change({ ...IDLE, aiStatus: 'processing' });
      case 'ai_progress':
        return this.change({ aiStatus: 'processing', aiProgress: said.progress ?? null });
      case 'ai_complete':
        return this.change({ aiStatus: 'complete', aiResult: said.result ?? null, aiError: null });
      case 'ai_error':
        return this.change({ aiStatus: 'error', aiError: said.error ?? null });
    }
  }
}
