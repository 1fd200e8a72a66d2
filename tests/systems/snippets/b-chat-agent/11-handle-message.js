// Handle WebSocket messages
const handleWebSocketMessage = (data) => {
  switch (data.type) {
    case 'messageReceived':
      displayMessage(data.data);
      break;
      
    case 'ideStatusChanged':
      updateIDEStatus(data.data);
      break;
      
    case 'connectionStatus':
      updateConnectionStatus(data.data);
      break;
      
    case 'userAppDetected':
      updateUserApp(data.data);
      break;
      
    case 'workspaceChanged':
      updateWorkspace(data.data);
      break;
      
    default:
      console.log('Unknown event type:', data.type);
  }
};
