// Broadcast to specific client
webSocketManager.sendToClient(clientId, 'privateMessage', {
  content: 'Private message for you'
});
