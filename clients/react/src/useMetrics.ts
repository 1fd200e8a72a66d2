import type { SocketClient, SocketStats, SocketStatus } from '@boardcast/client';
import { useFigures, type FigureError, type FiguresOptions } from './figures.js';

export interface AdminView {
  /** Who is connected. Where the server wants tokens, administrators alone are told. */
  readonly clients: readonly SocketClient[];
  readonly errors: readonly FigureError[];
}

/** Who is connected by WebSocket, every two seconds. */
export function useWebSocketAdmin(options: FiguresOptions = {}): AdminView {
  const { value, errors } = useFigures<SocketStats>('/api/ws/stats', options);
  return { clients: value?.clients ?? [], errors };
}

export interface WebSocketMetrics {
  /** Now, and since the start of the instance that answers. */
  readonly connections: { readonly active: number; readonly total: number };
  /** Messages per second, in and out, between the last two answers. */
  readonly throughput: number;
  /** Milliseconds that the server's last answers took, the oldest first. */
  readonly latency: readonly number[];
  readonly errors: readonly FigureError[];
}

/** How the server's WebSockets are, every two seconds. */
export function useWebSocketMetrics(options: FiguresOptions = {}): { readonly wsMetrics: WebSocketMetrics } {
  const stats = useFigures<SocketStats>('/api/ws/stats', options);
  const status = useFigures<SocketStatus>('/api/websocket/status', options);
  const { activeConnections: active = 0, totalConnections: total = 0 } = stats.value ?? {};
  return {
    wsMetrics: {
      connections: { active, total },
      throughput: throughput(status.before?.data, status.value?.data),
      latency: status.latency,
      errors: [...stats.errors, ...status.errors],
    },
  };
}

type Counted = SocketStatus['data'] | undefined;

/** Nothing before the second answer, and after a restart. */
function throughput(before: Counted, after: Counted): number {
  const seconds = (after?.uptime ?? 0) - (before?.uptime ?? 0);
  if (!before || !after || seconds <= 0) return 0;
  return Math.max(0, after.messageCount - before.messageCount) / seconds;
}
