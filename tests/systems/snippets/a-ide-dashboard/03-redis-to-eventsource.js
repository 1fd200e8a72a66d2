// Backend publishes to Redis
redis.publish('ai:jobs:status', JSON.stringify({
  jobId: 'job_123',
  status: 'completed',
  result: { suggestions: 5 }
}));

// UI receives via EventSource
eventSource.onmessage = (event) => {
  const { channel, message } = JSON.parse(event.data);
  // Update UI based on channel and message
};
