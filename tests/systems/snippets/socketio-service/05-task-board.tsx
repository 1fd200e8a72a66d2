import { useEffect } from 'react';
import { WebSocketService } from '@/services/websocket.service';

export function TaskBoard() {
  useEffect(() => {
    const ws = new WebSocketService();
    ws.connect();

    const unsubscribe = ws.on('task:updated', (task) => {
      // Update your state
      updateTask(task);
    });

    return () => {
      unsubscribe();
      ws.disconnect();
    };
  }, []);

  // Rest of component
}
