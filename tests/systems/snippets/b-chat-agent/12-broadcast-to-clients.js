// Broadcast to all connected clients
webSocketManager.broadcastToClients('messageReceived', {
  id: 'msg-123',
  content: 'Hello, everyone!',
  timestamp: new Date().toISOString()
});
