const WebSocketManager = require('./src/presentation/websocket/WebSocketManager');

const webSocketManager = new WebSocketManager(server, eventBus);
