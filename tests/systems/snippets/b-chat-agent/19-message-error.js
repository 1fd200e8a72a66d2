// Handle message errors
try {
  const data = JSON.parse(event.data);
  handleWebSocketMessage(data);
} catch (error) {
  console.error('Failed to parse message:', error);
  
  // Send error response
  ws.send(JSON.stringify({
    type: 'error',
    error: 'Invalid message format'
  }));
}
