export * from './websocket.js';
