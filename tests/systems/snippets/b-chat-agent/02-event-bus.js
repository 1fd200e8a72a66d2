const EventBus = require('./src/infrastructure/messaging/EventBus');

const eventBus = new EventBus();
eventBus.subscribe('MessageSent', (data) => {
  webSocketManager.broadcastToClients('messageReceived', data);
});
