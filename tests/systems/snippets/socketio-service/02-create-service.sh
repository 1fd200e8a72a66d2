mkdir -p ../../infrastructure/services/websocket-service/src
cd ../../infrastructure/services/websocket-service
npm init -y
npm install socket.io express cors
