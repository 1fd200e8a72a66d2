# Check active connections
curl http://localhost:3000/api/websocket/status

# Restart WebSocket server
npm run dev:full
