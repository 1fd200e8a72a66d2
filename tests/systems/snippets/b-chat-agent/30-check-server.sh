# Check if WebSocket server is running
curl http://localhost:3000/api/websocket/status

# Check server logs
tail -f logs/websocket.log
