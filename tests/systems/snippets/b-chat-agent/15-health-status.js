// Monitor connection health
const healthStatus = webSocketManager.getHealthStatus();

// Result
{
  connected: true,
  clients: 3,
  lastActivity: '2024-01-01T12:00:00.000Z',
  uptime: 3600,
  messageCount: 150
}
