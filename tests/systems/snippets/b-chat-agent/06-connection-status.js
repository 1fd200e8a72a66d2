{
  type: 'connectionStatus',
  data: {
    connected: true,
    activePort: 9222,
    lastActivity: '2024-01-01T12:00:00.000Z'
  }
}
