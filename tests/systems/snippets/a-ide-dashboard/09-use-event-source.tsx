// React hook for Server-Sent Events
import { useEffect, useRef, useState } from 'react';

export function useEventSource(url: string) {
  const eventSource = useRef<EventSource | null>(null);
  const [isConnected, setIsConnected] = useState(false);
  const [events, setEvents] = useState<any[]>([]);

  useEffect(() => {
    eventSource.current = new EventSource(url);

    eventSource.current.onopen = () => {
      console.log('SSE connected');
      setIsConnected(true);
    };

    eventSource.current.onmessage = (event) => {
      const data = JSON.parse(event.data);
      setEvents(prev => [...prev.slice(-99), data]); // Keep last 100
    };

    eventSource.current.onerror = (error) => {
      console.error('SSE error:', error);
      setIsConnected(false);
    };

    return () => {
      eventSource.current?.close();
    };
  }, [url]);

  return { isConnected, events };
}
