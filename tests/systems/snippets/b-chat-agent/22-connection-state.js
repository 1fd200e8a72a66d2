// Track connection state
const connectionState = {
  connected: false,
  reconnecting: false,
  lastConnected: null,
  reconnectAttempts: 0
};

// Update connection state
const updateConnectionState = (state) => {
  Object.assign(connectionState, state);
  
  // Broadcast state change
  webSocketManager.broadcastToClients('connectionStateChanged', connectionState);
};
