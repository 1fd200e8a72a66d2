// IDE status changed
eventBus.publish('activeIDEChanged', {
  port: 9223,
  previousPort: 9222,
  workspacePath: '/path/to/workspace'
});

// User app detected
eventBus.publish('userAppDetected', {
  url: 'http://localhost:3000',
  workspacePath: '/path/to/workspace'
});
