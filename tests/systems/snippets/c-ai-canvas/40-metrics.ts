const metrics = {
  totalConnections: wsManager.getStats().totalConnections,
  activeConnections: wsManager.getStats().activeConnections,
  messagesSent: messageCounter,
  messagesReceived: receivedCounter,
  reconnectAttempts: reconnectCounter,
  averageLatency: latencySum / latencyCount
};
