// Message sent event
eventBus.publish('MessageSent', {
  id: 'msg-123',
  content: 'Hello, Cursor!',
  timestamp: new Date().toISOString()
});

// Message received event
eventBus.publish('MessageReceived', {
  id: 'msg-124',
  content: 'Response from IDE',
  timestamp: new Date().toISOString()
});
