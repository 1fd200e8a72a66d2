'use client';
// React hooks for Boardcast. This is all that the package exports.

export { BoardcastProvider, type BoardcastProviderProps } from './provider.js';
export { useChannel, type ChannelMessage, type ChannelOptions, type ChannelView } from './useChannel.js';
export { useEventSource, type EventSourceOptions, type EventSourceView, type StreamEvent } from './useEventSource.js';
export { usePresence, type PresenceView } from './usePresence.js';
export { useProject, type ProjectView } from './useProject.js';
export { useAIWebSocket, type AIError, type AIProgress, type AIResult, type AIStatus, type AIView } from './useAIWebSocket.js';
export { useWebSocket, type WebSocketOptions, type WebSocketView } from './useWebSocket.js';
export type { Closing, Unsubscribe, WebSocketCallbacks, WebSocketConfig } from './webSocketStore.js';
export type { Connection } from './membership.js';
export {
  useSSEMetrics,
  useWebSocketAdmin,
  useWebSocketMetrics,
  type AdminView,
  type SSEMetricsView,
  type WebSocketMetricsView,
} from './useMetrics.js';
export type { FigureError, FiguresOptions } from './figures.js';
