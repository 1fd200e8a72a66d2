import { Server } from 'socket.io';
import { createServer } from 'http';

let io: Server;

export async function GET(req: Request) {
  if (!io) {
    const httpServer = createServer();
    io = new Server(httpServer, {
      cors: {
        origin: "http://localhost:3001",
        methods: ["GET", "POST"]
      }
    });

    io.on('connection', (socket) => {
      console.log('Client connected:', socket.id);
      
      // Add your event handlers here
      socket.on('task:update', (data) => {
        socket.broadcast.emit('task:updated', data);
      });
    });

    httpServer.listen(8002);
    console.log('WebSocket server running on port 8002');
  }

  return new Response('WebSocket server running', { status: 200 });
}
