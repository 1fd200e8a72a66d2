// The server of the kanban board: boards in memory, ids as MongoDB makes them.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server, { cors: { origin: '*' } });
const boards = io.of('/board');

const store = new Map();
const online = new Map(); // boardId -> Map(socket.id -> user)

const objectId = () => randomBytes(12).toString('hex');

function board(id) {
  if (!store.has(id)) store.set(id, { columns: [], cards: [] });
  return store.get(id);
}

function sendUsers(boardId) {
  boards.to(boardId).emit('online-users', [...(online.get(boardId)?.values() ?? [])]);
}

function leave(socket, boardId) {
  if (!online.get(boardId)?.delete(socket.id)) return;
  socket.leave(boardId);
  sendUsers(boardId);
}

boards.on('connection', (socket) => {
  socket.on('join-board', ({ boardId, user }) => {
    socket.join(boardId);
    if (!online.has(boardId)) online.set(boardId, new Map());
    online.get(boardId).set(socket.id, user);
    socket.emit('board-state', { boardId, ...board(boardId) });
    sendUsers(boardId);
  });

  socket.on('leave-board', (boardId) => leave(socket, boardId));

  socket.on('create-column', ({ boardId, column }) => {
    const created = { _id: objectId(), ...column };
    board(boardId).columns.push(created);
    boards.to(boardId).emit('column-created', { column: created, boardId });
  });

  socket.on('delete-column', ({ boardId, columnId }) => {
    const { columns, cards } = board(boardId);
    store.set(boardId, {
      columns: columns.filter((column) => column._id !== columnId),
      cards: cards.filter((card) => card.columnId !== columnId),
    });
    boards.to(boardId).emit('column-deleted', columnId);
  });

  socket.on('create-card', ({ boardId, card }) => {
    const created = { _id: objectId(), ...card };
    board(boardId).cards.push(created);
    boards.to(boardId).emit('card-created', { card: created, boardId });
  });

  socket.on('update-card', ({ boardId, card }) => {
    const found = board(boardId).cards.find(({ _id }) => _id === card._id);
    if (!found) return;
    Object.assign(found, card);
    boards.to(boardId).emit('card-updated', { card: found, boardId });
  });

  socket.on('move-card', ({ boardId, cardId, toColumn, position }) => {
    const { cards } = board(boardId);
    const card = cards.find(({ _id }) => _id === cardId);
    if (!card) return;
    cards.splice(cards.indexOf(card), 1);
    card.columnId = toColumn;
    const next = cards.filter(({ columnId }) => columnId === toColumn)[position];
    cards.splice(next ? cards.indexOf(next) : cards.length, 0, card);
    socket.to(boardId).emit('card-moved', { cardId, toColumn, position });
  });

  socket.on('delete-card', ({ boardId, cardId }) => {
    const { cards } = board(boardId);
    board(boardId).cards = cards.filter(({ _id }) => _id !== cardId);
    boards.to(boardId).emit('card-deleted', cardId);
  });

  socket.on('disconnect', () => {
    for (const boardId of online.keys()) leave(socket, boardId);
  });
});

server.listen(process.env.PORT ?? 0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
