// Setup WebSocket server
const WebSocket = require('ws');
const server = http.createServer(app);
const wss = new WebSocket.Server({ server });

// Initialize WebSocket manager
const webSocketManager = new WebSocketManager(server, eventBus);
