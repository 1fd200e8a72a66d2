// Broadcast based on conditions
webSocketManager.broadcastToClients('ideStatusChanged', data, (client) => {
  return client.subscribedToIDE;
});
