// load-test.js
const { Worker } = require('worker_threads');

// Spawn multiple WebSocket clients
for (let i = 0; i < 100; i++) {
  new Worker('./websocket-client-worker.js');
}

// Monitor metrics
setInterval(async () => {
  const metrics = await redis.get('metrics:websocket');
  console.log('Current metrics:', metrics);
}, 1000);
