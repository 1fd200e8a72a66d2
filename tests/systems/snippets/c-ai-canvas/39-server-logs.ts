// Connection logs
console.log(`✓ WebSocket client connected: ${clientId} (Total: ${clients.size})`);
console.log(`✗ WebSocket client disconnected: ${clientId} (Total: ${clients.size})`);

// Message logs
console.log(`Received message from ${clientId}:`, message.type);
console.log(`✓ AI completion notification sent to ${sentCount} client(s)`);
