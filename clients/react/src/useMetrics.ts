import type { SocketClient, SocketStats, WebSocketMetrics } from '@boardcast/client';
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

export interface WebSocketMetricsView {
  /** The server's figures; of the instance that answers. Its `errors` also tell why it could not be asked lately. */
  readonly wsMetrics: Omit<WebSocketMetrics, 'errors'> & { readonly errors: readonly FigureError[] };
}

/** What passes through the server's WebSockets, every two seconds. */
export function useWebSocketMetrics(options: FiguresOptions = {}): WebSocketMetricsView {
  const { value, errors } = useFigures<WebSocketMetrics>('/api/metrics/websocket', options);
  const figures = value ?? NOTHING;
  return { wsMetrics: { ...figures, errors: [...figures.errors, ...errors] } };
}

export interface SSEMetricsView {
  /** The server's event streams; of the instance that answers. */
  readonly sseMetrics: WebSocketMetrics['sse'];
}

/** What passes through the server's event streams, every two seconds. */
export function useSSEMetrics(options: FiguresOptions = {}): SSEMetricsView {
  const { value } = useFigures<WebSocketMetrics>('/api/metrics/websocket', options);
  return { sseMetrics: (value ?? NOTHING).sse };
}

/** Until the first answer. */
const NOTHING: WebSocketMetrics = {
  connections: { active: 0, total: 0, failed: 0 },
  messages: { sent: 0, received: 0, errors: 0 },
  latency: [],
  averageLatency: 0,
  throughput: 0,
  queueSize: 0,
  reconnects: 0,
  errors: [],
  sse: { subscribers: 0, total: 0, failed: 0, sent: 0, errors: [] },
  instances: 0,
  timestamp: '',
};
