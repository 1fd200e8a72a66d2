// e2e.test.ts
describe('End-to-End Flow', () => {
  it('should process IDE context and return suggestions', async () => {
    // Connect WebSocket
    // Send code context
    // Verify suggestions received
    // Check Redis for events
    // Verify SSE delivers events
  });
});
