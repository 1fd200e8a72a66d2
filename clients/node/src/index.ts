export { WebSocketManager, getWebSocketManager } from './manager.js';
export { BoardcastError, ClosedError, QueueFullError, RefusedError, UnreachableError } from './errors.js';
export type * from './types.js';
