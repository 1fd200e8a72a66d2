// Plain WebSockets alone: this entry needs no other package.

export { BoardcastSocket } from './socket/boardcast-socket.js';
export { BoardcastError, ClosedError, ConnectionLostError, QueueFullError, RefusedError, TimeoutError, type Refusal } from './errors.js';
export type { BackoffOptions } from './backoff.js';
export type { Unsubscribe } from './listeners.js';
export type * from './socket/types.js';
export type * from './generated.js';
export { AutoSDLCWebSocketClient, type ClientConfig, type SubscriptionConfig } from './pages/auto-sdlc.js';
export { ConnectionPool, WebSocketClient } from './pages/websocket-client.js';
export type { EventHandler, MessageMetadata, MessageType, WebSocketMessage } from './pages/envelope.js';
