// The server of the whiteboard: rooms in memory, with their notes and the chat beside them.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const HISTORY = 100;

const server = createServer();
const io = new Server(server, { path: '/socket', cors: { origin: '*' } });
const rooms = new Map();
let messageCount = 0;

function room(id) {
  if (!rooms.has(id)) rooms.set(id, { users: new Map(), notes: new Map(), messages: [] });
  return rooms.get(id);
}

function sendUsers(roomId) {
  const users = [...room(roomId).users.values()];
  io.to(roomId).emit('room-users', { users, count: users.length });
}

io.on('connection', (socket) => {
  const { name } = socket.handshake.auth;
  let roomId = null;

  socket.on('join-room', (id, color) => {
    roomId = id;
    socket.join(roomId);
    const { users, notes, messages } = room(roomId);
    users.set(socket.id, { id: socket.id, name, color });
    socket.emit('chat-history', messages);
    socket.emit('notes', [...notes.values()]);
    socket.to(roomId).emit('user-joined', { id: socket.id, name, color });
    sendUsers(roomId);
  });

  socket.on('note-add', (note) => {
    room(roomId).notes.set(note.id, note);
    socket.to(roomId).emit('note-add', note);
  });

  socket.on('note-change', ({ id, changes }) => {
    Object.assign(room(roomId).notes.get(id) ?? {}, changes);
    socket.to(roomId).emit('note-change', { id, changes });
  });

  socket.on('note-remove', (id) => {
    room(roomId).notes.delete(id);
    socket.to(roomId).emit('note-remove', id);
  });

  socket.on('chat-message', (text) => {
    const message = { id: String((messageCount += 1)), author: name, text, sentAt: new Date().toISOString() };
    const { messages } = room(roomId);
    messages.push(message);
    if (messages.length > HISTORY) messages.shift();
    io.to(roomId).emit('chat-message', message);
  });

  socket.on('typing', (isTyping) => socket.to(roomId).emit('typing', { socketId: socket.id, name, isTyping }));

  socket.on('cursor-move', ({ x, y }) => socket.to(roomId).volatile.emit('cursor-move', { socketId: socket.id, name, x, y }));

  socket.on('ping', (sentAt) => socket.emit('pong', sentAt));

  socket.on('disconnect', () => {
    if (!roomId) return;
    room(roomId).users.delete(socket.id);
    io.to(roomId).emit('user-left', { id: socket.id, name });
    sendUsers(roomId);
  });
});

server.listen(process.env.PORT ?? 0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
