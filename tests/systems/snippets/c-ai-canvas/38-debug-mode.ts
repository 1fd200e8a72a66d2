const ws = useWebSocket({
  sessionId: 'my_session',
  onOpen: () => console.log('[WS] Connected'),
  onClose: () => console.log('[WS] Disconnected'),
  onError: (error) => console.error('[WS] Error:', error),
  onMessage: (msg) => console.log('[WS] Message:', msg)
});
