// Connection status
eventBus.publish('connectionStatus', {
  connected: true,
  activePort: 9222,
  availablePorts: [9222, 9223]
});

// Workspace changed
eventBus.publish('workspaceChanged', {
  workspacePath: '/path/to/workspace',
  port: 9222
});
