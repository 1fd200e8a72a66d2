export function EventMonitor() {
  const { events } = useEventSource('/api/events');
  
  return (
    <div>
      <h3>Recent Events</h3>
      {events.map((event, i) => (
        <div key={i}>
          <span>{event.channel}</span>
          <pre>{JSON.stringify(event.message, null, 2)}</pre>
        </div>
      ))}
    </div>
  );
}
