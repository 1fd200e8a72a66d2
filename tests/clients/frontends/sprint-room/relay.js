// The server of the sprint room. There is one room, everybody is in it, and everybody has a channel of their own.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const ROOM = 'sprint';
const TASKS = ['todo', 'doing', 'done'];

const io = new Server({ cors: { origin: 'http://sprint-room.example.org' } });
const tasks = [];
const comments = [];
let lastId = 0;

const nextId = () => String((lastId += 1));
const findTask = (id) => tasks.find((task) => task.id === id);

function sendCount() {
  io.to(ROOM).emit('online', io.of('/').sockets.size);
}

function notify(userId, notification) {
  io.to('user:' + userId).emit('notification', notification);
}

io.on('connection', (socket) => {
  const { userId, name } = socket.handshake.auth;
  socket.join([ROOM, 'user:' + userId]);
  socket.emit('connected', { userId, name });
  socket.emit('init', { tasks, comments });
  sendCount();

  socket.on('task:add', ({ title, status }, done) => {
    if (!TASKS.includes(status)) return done({ success: false, error: 'no such status' });
    const task = { id: nextId(), title, status, assignee: null, version: 1 };
    tasks.push(task);
    io.to(ROOM).emit('task:added', task);
    done({ success: true, task });
  });

  // Who edits an old version is refused, so that nobody writes over what somebody else has just written.
  socket.on('task:edit', ({ id, version, changes }) => {
    const task = findTask(id);
    if (!task) return socket.emit('task:rejected', { id, code: 'gone' });
    if (task.version !== version) return socket.emit('task:rejected', { id, code: 'conflict' });
    Object.assign(task, changes, { version: version + 1 });
    io.to(ROOM).emit('task:edited', task);
  });

  socket.on('task:assign', ({ id, userId: assignee }, done) => {
    const task = findTask(id);
    if (!task) return done({ success: false, error: 'gone' });
    Object.assign(task, { assignee, version: task.version + 1 });
    io.to(ROOM).emit('task:edited', task);
    notify(assignee, { title: name + ' gave you ' + task.title });
    done({ success: true, task });
  });

  socket.on('task:remove', ({ id }, done) => {
    const at = tasks.findIndex((task) => task.id === id);
    if (at < 0) return done({ success: false, error: 'gone' });
    tasks.splice(at, 1);
    io.to(ROOM).emit('task:removed', { id });
    done({ success: true });
  });

  socket.on('comment:add', ({ taskId, text }) => {
    const comment = { id: nextId(), taskId, text, author: name, authorId: userId };
    comments.push(comment);
    io.to(ROOM).emit('comment:added', { taskId, comment });
  });

  socket.on('comment:remove', (commentId) => {
    const at = comments.findIndex((comment) => comment.id === commentId);
    if (at < 0) return;
    const [{ taskId }] = comments.splice(at, 1);
    io.to(ROOM).emit('comment:removed', { taskId, commentId });
  });

  socket.on('disconnect', sendCount);
});

// Other programs of the team tell somebody something: POST /notify {"userId", "notification"}.
const server = createServer((request, response) => {
  if (request.method !== 'POST' || request.url !== '/notify') return;
  let body = '';
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    const { userId, notification } = JSON.parse(body);
    notify(userId, notification);
    response.end();
  });
});
io.attach(server);
server.listen(process.env.PORT ?? 0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
