{
  type: 'messageReceived',
  data: {
    id: 'msg-123',
    content: 'Hello, Cursor!',
    timestamp: '2024-01-01T12:00:00.000Z',
    type: 'user'
  }
}
