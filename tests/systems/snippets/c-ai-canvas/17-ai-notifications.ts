const ws = new WebSocket('ws://localhost:3001/ws?sessionId=my_session');

ws.onmessage = (event) => {
  const message = JSON.parse(event.data);

  switch (message.type) {
    case 'ai_start':
      console.log('AI started processing');
      showLoadingIndicator();
      break;

    case 'ai_progress':
      console.log('Progress:', message.progress);
      updateProgressBar(message.progress);
      break;

    case 'ai_complete':
      console.log('AI completed!', message.result);
      hideLoadingIndicator();
      showSuccessNotification();
      break;

    case 'ai_error':
      console.error('AI error:', message.error);
      hideLoadingIndicator();
      showErrorNotification(message.error.message);
      break;
  }
};
