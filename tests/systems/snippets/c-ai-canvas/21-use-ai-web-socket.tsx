import { useAIWebSocket } from '@/hooks/use-websocket';

function AIComponent() {
  const {
    isConnected,
    aiStatus,
    aiProgress,
    aiResult,
    aiError,
    subscribe,
  } = useAIWebSocket('my_session');

  useEffect(() => {
    if (aiStatus === 'complete') {
      console.log('AI completed:', aiResult);
      // Handle completion
    }
  }, [aiStatus, aiResult]);

  return (
    <div>
      <p>Connection: {isConnected ? '✓' : '✗'}</p>
      <p>AI Status: {aiStatus}</p>

      {aiProgress && (
        <p>Progress: {aiProgress.chunksReceived} chunks</p>
      )}

      {aiResult && (
        <div>Result: {JSON.stringify(aiResult)}</div>
      )}

      {aiError && (
        <div className="error">{aiError.message}</div>
      )}
    </div>
  );
}
