export * from './websocket.js';
export { BoardcastClient, connect, type ChannelOptions } from './socketio/client.js';
export type { AcceptedOf, ConnectOptions, EventName, HandlerOf, JoinOptions, OtherName, ProjectOrChannelReset } from './socketio/types.js';
export { wholeState } from './state.js';
export { WebSocketService, type ServiceOptions } from './pages/websocket-service.js';
