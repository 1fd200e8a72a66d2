import { useWebSocket } from '@/hooks/use-websocket';

function MyComponent() {
  const { isConnected, send, lastMessage } = useWebSocket({
    sessionId: 'my_session',
    onMessage: (message) => {
      console.log('Received:', message);
    }
  });

  return (
    <div>
      <p>Status: {isConnected ? 'Connected' : 'Disconnected'}</p>
      <button onClick={() => send({ type: 'ping' })}>
        Ping Server
      </button>
    </div>
  );
}
