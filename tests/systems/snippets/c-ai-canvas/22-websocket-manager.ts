import { getWebSocketManager } from './config/websocket.js';

const wsManager = getWebSocketManager();

// Notify specific session
wsManager.notifyAIComplete(sessionId, {
  mode: 'generate',
  contentLength: 5000,
  chunks: 100
});

// Notify progress
wsManager.notifyAIProgress(sessionId, {
  chunksReceived: 25,
  contentLength: 1250
});

// Notify error
wsManager.notifyAIError(sessionId, {
  message: 'Rate limit exceeded',
  type: 'rate_limit_error'
});

// Notify start
wsManager.notifyAIStart(sessionId, {
  prompt: 'Create component',
  mode: 'generate'
});

// Broadcast to all users
wsManager.broadcastToUser(userId, {
  type: 'notification',
  message: 'New update available'
});

// Get stats
const stats = wsManager.getStats();
console.log(`Active connections: ${stats.activeConnections}`);
