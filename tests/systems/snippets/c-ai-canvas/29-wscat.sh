wscat -c "ws://localhost:3001/ws?sessionId=test_123"
