// websocket.test.ts
describe('WebSocket Server', () => {
  it('should handle handshake', async () => {
    const client = await connectClient();
    await client.send({ type: 'handshake', data: { ... } });
    const response = await client.receive();
    expect(response.type).toBe('welcome');
  });

  it('should queue messages for offline clients', async () => {
    // Test message queuing logic
  });
});
