const ws = new WebSocket('ws://localhost:3001/ws?userId=user123&sessionId=shared_session');

ws.onmessage = (event) => {
  const message = JSON.parse(event.data);

  if (message.type === 'ai_complete') {
    refreshSharedCanvas();
    notifyUser('AI agent completed task');
  }
};
