// Start AI task
fetch('/api/agent/generate', {
  method: 'POST',
  body: JSON.stringify({
    sessionId: 'background_task_123',
    prompt: 'Generate documentation',
    // ... other params
  })
});

// Listen for completion
const ws = new WebSocket('ws://localhost:3001/ws?sessionId=background_task_123');

ws.onmessage = (event) => {
  const message = JSON.parse(event.data);

  if (message.type === 'ai_complete') {
    console.log('Background task completed!');
    fetchGeneratedDocumentation();
  }
};
