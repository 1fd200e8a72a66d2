// Redis-backed message queue for reliability
class MessageQueue {
  private redis: Redis;
  
  async queueMessage(clientId: string, message: any): Promise<void> {
    const key = `queue:${clientId}`;
    await this.redis.rpush(key, JSON.stringify(message));
    await this.redis.expire(key, 86400); // 24 hour TTL
  }

  async getQueuedMessages(clientId: string): Promise<any[]> {
    const key = `queue:${clientId}`;
    const messages = await this.redis.lrange(key, 0, -1);
    await this.redis.del(key);
    return messages.map(m => JSON.parse(m));
  }
}
