// The tasks of a sprint, with comments. Whoever opens the page is in: there is nothing to join.

const params = new URLSearchParams(location.search);
const me = { userId: params.get('id'), name: params.get('name') };
const socket = io(SERVER_URL, { auth: me });

const $ = (selector, root = document) => root.querySelector(selector);
const tasks = {};
const comments = {};

function notice(text) {
  $('#notice').textContent = text;
}

// Connection

socket.on('connect', () => ($('#status').textContent = 'online'));
socket.on('disconnect', () => ($('#status').textContent = 'offline'));
socket.on('connected', ({ userId, name }) => ($('#me').textContent = name + ' (' + userId + ')'));
socket.on('online', (count) => ($('#online').textContent = count));

socket.on('init', (state) => {
  for (const id of Object.keys(tasks)) removeTask(id);
  state.tasks.forEach(showTask);
  state.comments.forEach(showComment);
});

socket.on('notification', ({ title }) => {
  const item = document.createElement('li');
  item.textContent = title;
  $('#notifications').append(item);
});

// Tasks

socket.on('task:added', showTask);
socket.on('task:edited', showTask);
socket.on('task:removed', ({ id }) => removeTask(id));

socket.on('task:rejected', ({ id, code }) => {
  notice('"' + (tasks[id] ? tasks[id].title : 'A task') + '" was not changed: ' + code);
});

$('#new-task').onsubmit = (event) => {
  event.preventDefault();
  const form = event.target;
  socket.emit('task:add', { title: form.title.value, status: form.status.value }, (answer) => {
    if (!answer.success) return notice(answer.error);
    notice('Added "' + answer.task.title + '"');
    form.reset();
  });
};

function showTask(task) {
  let node = tasks[task.id] && tasks[task.id].node;
  if (!node) {
    node = taskNode(task.id);
    $('#tasks').append(node);
    comments[task.id] = comments[task.id] || {};
  }
  tasks[task.id] = { ...task, node };
  node.dataset.status = task.status;
  $('.title', node).textContent = task.title;
  $('.assignee', node).textContent = task.assignee ? 'for ' + task.assignee : '';
  $('.status', node).value = task.status;
}

function removeTask(id) {
  if (!tasks[id]) return;
  tasks[id].node.remove();
  delete tasks[id];
  delete comments[id];
}

function edit(id, version, changes) {
  notice('');
  socket.emit('task:edit', { id, version, changes });
}

function taskNode(id) {
  const node = $('#task').content.cloneNode(true).firstElementChild;
  const editor = $('.editor', node);
  let version;
  $('.edit', node).onclick = () => {
    version = tasks[id].version;
    editor.hidden = false;
    $('.draft', editor).value = tasks[id].title;
  };
  editor.onsubmit = (event) => {
    event.preventDefault();
    editor.hidden = true;
    edit(id, version, { title: $('.draft', editor).value });
  };
  $('.status', node).onchange = (event) => edit(id, tasks[id].version, { status: event.target.value });
  $('.give', node).onchange = (event) => {
    socket.emit('task:assign', { id, userId: event.target.value }, ({ success, task }) => {
      notice(success ? '"' + task.title + '" is for ' + task.assignee : 'Not given');
    });
    event.target.value = '';
  };
  $('.remove', node).onclick = () => {
    socket.emit('task:remove', { id }, ({ success }) => notice(success ? 'Removed' : 'Not removed'));
  };
  $('.comment', node).onsubmit = (event) => {
    event.preventDefault();
    const input = $('input', event.target);
    socket.emit('comment:add', { taskId: id, text: input.value });
    input.value = '';
  };
  return node;
}

// Comments

socket.on('comment:added', ({ comment }) => showComment(comment));

socket.on('comment:removed', ({ taskId, commentId }) => {
  if (!comments[taskId] || !comments[taskId][commentId]) return;
  comments[taskId][commentId].remove();
  delete comments[taskId][commentId];
});

function showComment(comment) {
  if (!tasks[comment.taskId]) return;
  const node = document.createElement('li');
  node.textContent = comment.author + ': ' + comment.text;
  if (comment.authorId === me.userId) {
    const button = document.createElement('button');
    button.textContent = 'x';
    button.onclick = () => socket.emit('comment:remove', comment.id);
    node.append(' ', button);
  }
  comments[comment.taskId][comment.id] = node;
  $('.comments', tasks[comment.taskId].node).append(node);
}
