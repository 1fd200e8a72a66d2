// Manage multiple connections
class ConnectionPool {
  constructor(maxConnections = 10) {
    this.connections = new Map();
    this.maxConnections = maxConnections;
  }
  
  addConnection(id, connection) {
    if (this.connections.size >= this.maxConnections) {
      // Remove oldest connection
      const oldestId = this.connections.keys().next().value;
      this.removeConnection(oldestId);
    }
    
    this.connections.set(id, connection);
  }
  
  removeConnection(id) {
    const connection = this.connections.get(id);
    if (connection) {
      connection.close();
      this.connections.delete(id);
    }
  }
}
