export function RealtimeMonitor() {
  const { wsMetrics } = useWebSocketMetrics();
  const { sseMetrics } = useSSEMetrics();
  
  return (
    <Dashboard>
      <MetricCard 
        title="WebSocket Connections"
        value={wsMetrics.connections.active}
        total={wsMetrics.connections.total}
      />
      <MetricCard 
        title="Messages/sec"
        value={wsMetrics.throughput}
      />
      <MetricCard 
        title="SSE Subscribers"
        value={sseMetrics.subscribers}
      />
      <LatencyChart data={wsMetrics.latency} />
      <ErrorLog errors={[...wsMetrics.errors, ...sseMetrics.errors]} />
    </Dashboard>
  );
}
