// Handle connection errors
ws.onerror = (error) => {
  console.error('WebSocket error:', error);
  
  // Attempt to reconnect
  setTimeout(() => {
    connectWebSocket();
  }, 5000);
};
