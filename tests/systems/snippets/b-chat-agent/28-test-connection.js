// Test WebSocket connection
const testWebSocket = async () => {
  const ws = new WebSocket('ws://localhost:3000');
  
  return new Promise((resolve, reject) => {
    const timeout = setTimeout(() => {
      reject(new Error('Connection timeout'));
    }, 5000);
    
    ws.onopen = () => {
      clearTimeout(timeout);
      ws.close();
      resolve('Connection successful');
    };
    
    ws.onerror = (error) => {
      clearTimeout(timeout);
      reject(error);
    };
  });
};
