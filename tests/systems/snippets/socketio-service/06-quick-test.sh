# Quick test with standalone service
cd infrastructure/services
mkdir websocket-service
cd websocket-service
npm init -y
npm install socket.io express cors typescript @types/node

# Copy the server code
cp ../../../frontend/devmentor-ui/src/lib/services/websocketServer.ts src/

# Adapt it to run standalone
# Start the server
npm run dev
