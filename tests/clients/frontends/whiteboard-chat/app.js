// A whiteboard with sticky notes, the mouse cursors of the others, and a chat.

const params = new URLSearchParams(location.search);
const myName = params.get('name');
const roomId = params.get('room') || 'sketch';
const color = params.get('color') || 'black';

const socket = io(SERVER_URL, { path: '/socket', auth: { name: myName }, transports: ['websocket', 'polling'] });

const canvas = document.getElementById('canvas');
const list = (id) => document.getElementById(id);
const notes = new Map();
const cursors = new Map();
const typists = new Map();

function setText(id, text) {
  document.getElementById(id).textContent = text;
}

function item(text) {
  const node = document.createElement('li');
  node.textContent = text;
  return node;
}

// Connection and heartbeat

let heartbeat;

socket.on('connect', () => {
  setText('status', 'online');
  socket.emit('join-room', roomId, color);
  heartbeat = setInterval(() => socket.emit('ping', Date.now()), 500);
});

socket.on('disconnect', () => {
  setText('status', 'offline');
  setText('heartbeat', 'none');
  clearInterval(heartbeat);
});

socket.on('pong', () => setText('heartbeat', 'ok'));

// People

socket.on('room-users', ({ users, count }) => {
  setText('count', count);
  list('people').replaceChildren(...users.map((user) => {
    const node = item(user.name);
    node.style.color = user.color;
    return node;
  }));
  // Whose page is gone points at nothing.
  const there = new Set(users.map((user) => user.id));
  for (const id of cursors.keys()) if (!there.has(id)) removeCursor(id);
});

socket.on('user-joined', (user) => list('activity').append(item(user.name + ' came')));

socket.on('user-left', (user) => {
  list('activity').append(item(user.name + ' left'));
  removeCursor(user.id);
});

// Cursors

function removeCursor(id) {
  cursors.get(id)?.remove();
  cursors.delete(id);
}

canvas.addEventListener('mousemove', (event) => {
  const box = canvas.getBoundingClientRect();
  socket.volatile.emit('cursor-move', { x: Math.round(event.clientX - box.left), y: Math.round(event.clientY - box.top) });
});

socket.on('cursor-move', ({ socketId, name, x, y }) => {
  if (!cursors.has(socketId)) {
    const node = document.createElement('div');
    node.className = 'cursor';
    canvas.append(node);
    cursors.set(socketId, node);
  }
  const node = cursors.get(socketId);
  node.textContent = name + ' at ' + x + ',' + y;
  node.style.transform = 'translate(' + x + 'px, ' + y + 'px)';
});

// Notes

function show(note) {
  let node = notes.get(note.id)?.node;
  if (!node) {
    node = document.createElement('div');
    node.className = 'note';
    node.ondblclick = (event) => {
      event.stopPropagation();
      const text = prompt('Text', notes.get(note.id).text);
      if (text) change(note.id, { text });
      else if (text === '') remove(note.id);
    };
    node.draggable = true;
    node.ondragend = (event) => {
      const box = canvas.getBoundingClientRect();
      change(note.id, { x: Math.round(event.clientX - box.left), y: Math.round(event.clientY - box.top) });
    };
    canvas.append(node);
  }
  notes.set(note.id, { ...note, node });
  node.textContent = note.text;
  node.style.left = note.x + 'px';
  node.style.top = note.y + 'px';
}

function change(id, changes) {
  show({ ...notes.get(id), ...changes });
  socket.emit('note-change', { id, changes });
}

function drop(id) {
  notes.get(id)?.node.remove();
  notes.delete(id);
}

function remove(id) {
  drop(id);
  socket.emit('note-remove', id);
}

canvas.ondblclick = (event) => {
  const text = prompt('Text');
  if (!text) return;
  const box = canvas.getBoundingClientRect();
  const note = { id: crypto.randomUUID ? crypto.randomUUID() : String(Math.random()), text, x: Math.round(event.clientX - box.left), y: Math.round(event.clientY - box.top) };
  show(note);
  socket.emit('note-add', note);
};

socket.on('notes', (all) => {
  for (const id of [...notes.keys()]) drop(id);
  all.forEach(show);
});
socket.on('note-add', show);
socket.on('note-change', ({ id, changes }) => show({ ...notes.get(id), ...changes }));
socket.on('note-remove', drop);

// Chat

let typing = false;

function setTyping(isTyping) {
  if (typing === isTyping) return;
  typing = isTyping;
  socket.emit('typing', isTyping);
}

function message({ author, text, sentAt }) {
  const node = item(author + ': ' + text);
  node.title = new Date(sentAt).toISOString();
  return node;
}

list('chat').onsubmit = (event) => {
  event.preventDefault();
  const input = list('text');
  if (!input.value) return;
  socket.emit('chat-message', input.value);
  input.value = '';
  setTyping(false);
};

list('text').oninput = (event) => setTyping(event.target.value !== '');

socket.on('chat-history', (messages) => list('messages').replaceChildren(...messages.map(message)));
socket.on('chat-message', (sent) => list('messages').append(message(sent)));
socket.on('typing', ({ socketId, name, isTyping }) => {
  if (isTyping) typists.set(socketId, name);
  else typists.delete(socketId);
  setText('typing', [...typists.values()].map((typist) => typist + ' is typing').join(', '));
});
