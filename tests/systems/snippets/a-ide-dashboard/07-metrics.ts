// Metrics collection
class WebSocketMetrics {
  private metrics = {
    connections: { active: 0, total: 0, failed: 0 },
    messages: { sent: 0, received: 0, errors: 0 },
    latency: []
  };

  trackConnection(event: 'connect' | 'disconnect' | 'error'): void {
    if (event === 'connect') {
      this.metrics.connections.active++;
      this.metrics.connections.total++;
    } else if (event === 'disconnect') {
      this.metrics.connections.active--;
    } else {
      this.metrics.connections.failed++;
    }
    this.publishMetrics();
  }

  private publishMetrics(): void {
    redis.publish('metrics:websocket', JSON.stringify(this.metrics));
  }
}
