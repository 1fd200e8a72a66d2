// Add to your dashboard
export function WebSocketInspector() {
  const { clients } = useWebSocketAdmin();
  
  return (
    <div>
      <h3>Connected Clients: {clients.length}</h3>
      {clients.map(client => (
        <div key={client.id}>
          <p>ID: {client.id}</p>
          <p>Type: {client.type}</p>
          <p>Last Activity: {client.lastActivity}</p>
        </div>
      ))}
    </div>
  );
}
