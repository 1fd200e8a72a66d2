# Check client connection
# Open browser dev tools and check WebSocket tab

# Test with simple client
node -e "
const ws = new WebSocket('ws://localhost:3000');
ws.onopen = () => console.log('Connected');
ws.onmessage = (e) => console.log('Received:', e.data);
"
