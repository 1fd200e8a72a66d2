// Frontend
const { aiStatus, aiResult } = useAIWebSocket(sessionId);

// Backend
wsManager.notifyAIComplete(sessionId, result);
