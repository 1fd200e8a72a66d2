import { WebSocketService } from '@/services/websocket.service';

const ws = new WebSocketService();
ws.connect();

// Subscribe to events
ws.on('task:updated', (data) => {
  console.log('Task updated:', data);
  // Update your UI state
});

// Send events
ws.send('task:update', {
  projectId: '123',
  taskId: '456',
  status: 'completed'
});
