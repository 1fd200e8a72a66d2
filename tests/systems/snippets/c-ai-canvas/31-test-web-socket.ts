const testWebSocket = () => {
  const ws = new WebSocket('ws://localhost:3001/ws?sessionId=test');

  ws.onopen = () => {
    console.log('✓ Connected');

    // Test ping
    ws.send(JSON.stringify({ type: 'ping' }));

    // Test subscribe
    setTimeout(() => {
      ws.send(JSON.stringify({
        type: 'subscribe',
        sessionId: 'test_session'
      }));
    }, 1000);
  };

  ws.onmessage = (event) => {
    console.log('✓ Received:', event.data);
  };

  ws.onerror = (error) => {
    console.error('✗ Error:', error);
  };

  ws.onclose = () => {
    console.log('✗ Disconnected');
  };
};

testWebSocket();
