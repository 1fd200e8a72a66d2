// Clean up disconnected clients
webSocketManager.cleanupDisconnectedClients();

// Get active clients
const activeClients = webSocketManager.getActiveClients();
