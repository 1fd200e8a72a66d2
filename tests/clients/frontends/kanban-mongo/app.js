// A kanban board. Cards and columns are what MongoDB gave the server: `_id`, and nothing else, says which is which.

const params = new URLSearchParams(location.search);
const user = { _id: params.get('id'), name: params.get('name') };
const socket = io(SERVER_URL + '/board');

let boardId = params.get('board') || 'garden';
let columns = [];
let cards = [];
let people = [];

const byId = (id) => document.getElementById(id);

function element(tag, properties, children = []) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function button(text, onclick) {
  return element('button', { textContent: text, type: 'button', onclick });
}

function joinBoard() {
  socket.emit('join-board', { boardId, user });
}

// Connection

socket.on('connect', () => {
  byId('status').textContent = 'online';
  joinBoard();
});

socket.on('disconnect', () => {
  byId('status').textContent = 'offline';
});

socket.on('board-state', (state) => {
  if (state.boardId !== boardId) return;
  columns = state.columns;
  cards = state.cards;
  render();
});

socket.on('online-users', (users) => {
  people = users;
  byId('people').replaceChildren(...people.map(({ _id, name }) =>
    element('li', { textContent: _id === user._id ? name + ' (you)' : name })));
});

// Columns

socket.on('column-created', ({ column }) => {
  columns = [...columns, column];
  render();
});

socket.on('column-deleted', (columnId) => {
  columns = columns.filter((column) => column._id !== columnId);
  cards = cards.filter((card) => card.columnId !== columnId);
  render();
});

// Cards

socket.on('card-created', ({ card }) => {
  cards = [...cards, card];
  render();
});

socket.on('card-updated', ({ card }) => {
  cards = cards.map((other) => (other._id === card._id ? { ...other, ...card } : other));
  render();
});

socket.on('card-moved', ({ cardId, toColumn, position }) => {
  place(cardId, toColumn, position);
  render();
});

socket.on('card-deleted', (cardId) => {
  cards = cards.filter((card) => card._id !== cardId);
  render();
});

function place(cardId, toColumn, position) {
  const card = cards.find((other) => other._id === cardId);
  if (!card) return;
  const rest = cards.filter((other) => other._id !== cardId);
  const next = rest.filter((other) => other.columnId === toColumn)[position];
  const at = next ? rest.indexOf(next) : rest.length;
  cards = [...rest.slice(0, at), { ...card, columnId: toColumn }, ...rest.slice(at)];
}

// What the user does

function rename(card) {
  const title = prompt('New title', card.title);
  if (title) socket.emit('update-card', { boardId, card: { _id: card._id, title } });
}

function move(card, toColumn, position) {
  socket.emit('move-card', { boardId, cardId: card._id, fromColumn: card.columnId, toColumn, position });
  // The server tells only the others.
  place(card._id, toColumn, position);
  render();
}

byId('new-column').onsubmit = (event) => {
  event.preventDefault();
  const input = event.target.querySelector('input');
  socket.emit('create-column', { boardId, column: { title: input.value } });
  input.value = '';
};

byId('boards').value = boardId;
byId('boards').onchange = (event) => {
  socket.emit('leave-board', boardId);
  boardId = event.target.value;
  joinBoard();
};

// What is shown

function cardNode(card) {
  const at = columns.findIndex((column) => column._id === card.columnId);
  const [left, right] = [columns[at - 1], columns[at + 1]];
  return element('div', { className: 'card' }, [
    element('span', { textContent: card.title }),
    button('rename', () => rename(card)),
    ...(left ? [button('left', () => move(card, left._id, 0))] : []),
    ...(right ? [button('right', () => move(card, right._id, 0))] : []),
    button('delete', () => socket.emit('delete-card', { boardId, cardId: card._id })),
  ]);
}

function columnNode(column) {
  const form = element('form', {}, [element('input', { placeholder: 'card', required: true }), element('button', { textContent: 'add' })]);
  form.onsubmit = (event) => {
    event.preventDefault();
    socket.emit('create-card', { boardId, card: { title: form.querySelector('input').value, columnId: column._id } });
    form.reset();
  };
  return element('section', { className: 'column' }, [
    element('h2', { textContent: column.title }),
    button('remove', () => socket.emit('delete-column', { boardId, columnId: column._id })),
    ...cards.filter((card) => card.columnId === column._id).map(cardNode),
    form,
  ]);
}

function render() {
  byId('board').replaceChildren(...columns.map(columnNode));
}
