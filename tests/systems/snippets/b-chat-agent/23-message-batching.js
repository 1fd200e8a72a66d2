// Batch multiple messages
const messageQueue = [];
let batchTimeout = null;

const queueMessage = (type, data) => {
  messageQueue.push({ type, data });
  
  if (!batchTimeout) {
    batchTimeout = setTimeout(() => {
      flushMessageQueue();
    }, 100);
  }
};

const flushMessageQueue = () => {
  if (messageQueue.length > 0) {
    webSocketManager.broadcastToClients('batchUpdate', {
      messages: messageQueue
    });
    messageQueue.length = 0;
  }
  batchTimeout = null;
};
