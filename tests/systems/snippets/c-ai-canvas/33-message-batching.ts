let messageQueue = [];

setInterval(() => {
  if (messageQueue.length > 0) {
    wsManager.broadcastToSession(sessionId, {
      type: 'batch_update',
      messages: messageQueue
    });
    messageQueue = [];
  }
}, 100); // Batch every 100ms
