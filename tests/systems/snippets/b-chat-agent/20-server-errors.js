// Handle client connection errors
wss.on('error', (error) => {
  console.error('WebSocket server error:', error);
});

// Handle individual client errors
wss.on('connection', (ws) => {
  ws.on('error', (error) => {
    console.error('Client connection error:', error);
  });
});
