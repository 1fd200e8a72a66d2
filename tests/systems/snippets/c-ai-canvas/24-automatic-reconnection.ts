const ws = useWebSocket({
  reconnect: true,
  reconnectInterval: 3000,
  maxReconnectAttempts: 10
});
