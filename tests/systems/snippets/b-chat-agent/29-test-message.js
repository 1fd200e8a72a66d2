// Test message sending
const testMessage = async () => {
  const ws = new WebSocket('ws://localhost:3000');
  
  return new Promise((resolve) => {
    ws.onopen = () => {
      ws.send(JSON.stringify({
        type: 'test',
        data: { message: 'Hello, WebSocket!' }
      }));
    };
    
    ws.onmessage = (event) => {
      const data = JSON.parse(event.data);
      ws.close();
      resolve(data);
    };
  });
};
