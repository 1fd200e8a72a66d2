// Server-side validation
ws.on('connection', (ws, req) => {
  const token = new URL(req.url, 'ws://localhost').searchParams.get('token');

  if (!isValidToken(token)) {
    ws.close(1008, 'Unauthorized');
    return;
  }

  // Continue with connection...
});
