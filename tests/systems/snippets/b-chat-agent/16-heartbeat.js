// Send heartbeat to keep connections alive
setInterval(() => {
  webSocketManager.broadcastToClients('heartbeat', {
    timestamp: new Date().toISOString()
  });
}, 30000); // Every 30 seconds
