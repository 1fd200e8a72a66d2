// server.js
const { createServer } = require('http');
const { parse } = require('url');
const next = require('next');
const { websocketService } = require('./dist/lib/services/websocketServer');

const dev = process.env.NODE_ENV !== 'production';
const app = next({ dev });
const handle = app.getRequestHandler();

app.prepare().then(() => {
  const server = createServer((req, res) => {
    const parsedUrl = parse(req.url, true);
    handle(req, res, parsedUrl);
  });

  // Initialize WebSocket server
  websocketService.initialize(server);

  server.listen(3000, (err) => {
    if (err) throw err;
    console.log('> Ready on http://localhost:3000');
    console.log('> WebSocket ready on ws://localhost:3000/ws');
  });
});
