// Three frontends that were written for a plain Node relay, without one changed character before Boardcast. Each scenario is played
// in two windows before both servers and must show the same; before Boardcast the server is then killed, which a relay cannot survive.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, browse, SERVERS, show } from './frontends.mjs';

const online = (page) => page.locator('#status', { hasText: 'online' }).waitFor();
const offline = (page) => page.locator('#status', { hasText: 'offline' }).waitFor();

/** Kills the server, lets `meanwhile` happen, and waits until both windows are back: the second after `before` happened. */
async function kill(server, [first, second], meanwhile, before) {
  await server.stop('SIGKILL');
  await Promise.all([offline(first), offline(second)]);
  await meanwhile();
  await second.context().setOffline(true);
  await server.start();
  await online(first);
  await before();
  await second.context().setOffline(false);
  await online(second);
}

/** Closes a window over a WebSocket: that a page is gone which polls is noticed only when it fails to answer a ping. */
async function close(page) {
  await page.waitForFunction(() => socket.io.engine.transport.name === 'websocket');
  assert.deepEqual(page.errors, []);
  await page.context().close();
}

/** Plays `scenario` before each server; what it answers is played on after that before Boardcast, with the server killed. */
function play(name, scenario) {
  for (const [kind, start] of Object.entries(SERVERS)) {
    test(`${name} before ${kind}`, async (t) => {
      const server = await start(t, name);
      const open = await browse(t, server.url);
      const survive = await scenario((query) => open(name, query), server);
      if (server.server) await survive(server.server);
    });
  }
}

// The board: columns and cards as they stand, and people, who come back in any order.

const board = () => ({
  people: [...document.querySelectorAll('#people li')].map((person) => person.textContent).sort(),
  columns: [...document.querySelectorAll('.column')].map((column) =>
    [column.querySelector('h2'), ...column.querySelectorAll('.card span')].map((node) => node.textContent)),
});
const column = (page, title) => page.locator('.column', { has: page.locator('h2', { hasText: title }) });
const card = (page, title) => page.locator('.card', { has: page.locator('span', { hasText: title }) });
const press = (place, name) => place.getByRole('button', { name, exact: true }).click();

async function addColumn(page, title) {
  await page.getByPlaceholder('column').fill(title);
  await press(page, 'add column');
}

async function addCard(page, to, title) {
  await column(page, to).getByPlaceholder('card').fill(title);
  await press(column(page, to), 'add');
}

play('kanban-mongo', async (open) => {
  const ann = await open({ id: '64a1', name: 'Ann' });
  await show(board, [ann], { people: ['Ann (you)'], columns: [] });
  const ben = await open({ id: '64b2', name: 'Ben' });
  const both = async (...columns) => {
    await show(board, [ann], { people: ['Ann (you)', 'Ben'], columns });
    await show(board, [ben], { people: ['Ann', 'Ben (you)'], columns });
  };
  await both();
  await addColumn(ann, 'Todo');
  await both(['Todo']);
  await addColumn(ben, 'Done');
  await both(['Todo'], ['Done']);
  await addColumn(ann, 'Never');
  await both(['Todo'], ['Done'], ['Never']);
  await addCard(ann, 'Todo', 'Sow');
  await both(['Todo', 'Sow'], ['Done'], ['Never']);
  await addCard(ben, 'Todo', 'Water');
  await both(['Todo', 'Sow', 'Water'], ['Done'], ['Never']);
  await addCard(ann, 'Todo', 'Weed');
  await both(['Todo', 'Sow', 'Water', 'Weed'], ['Done'], ['Never']);
  await answer(ben, 'Sow peas', () => press(card(ben, 'Sow'), 'rename'));
  await both(['Todo', 'Sow peas', 'Water', 'Weed'], ['Done'], ['Never']);
  await press(card(ann, 'Water'), 'right');
  await both(['Todo', 'Sow peas', 'Weed'], ['Done', 'Water'], ['Never']);
  await press(card(ben, 'Weed'), 'right');
  await both(['Todo', 'Sow peas'], ['Done', 'Weed', 'Water'], ['Never']);
  await press(card(ben, 'Weed'), 'delete');
  await both(['Todo', 'Sow peas'], ['Done', 'Water'], ['Never']);
  await press(column(ann, 'Never'), 'remove');
  await both(['Todo', 'Sow peas'], ['Done', 'Water']);

  // A board that Ben looks at for a while, without Ann.
  await ben.locator('#boards').selectOption('kitchen');
  await show(board, [ben], { people: ['Ben (you)'], columns: [] });
  await show(board, [ann], { people: ['Ann (you)'], columns: [['Todo', 'Sow peas'], ['Done', 'Water']] });
  await addColumn(ben, 'Cook');
  await show(board, [ben], { people: ['Ben (you)'], columns: [['Cook']] });
  await addCard(ann, 'Done', 'Dig');
  await show(board, [ann], { people: ['Ann (you)'], columns: [['Todo', 'Sow peas'], ['Done', 'Water', 'Dig']] });
  await show(board, [ben], { people: ['Ben (you)'], columns: [['Cook']] });
  await ben.locator('#boards').selectOption('garden');
  await both(['Todo', 'Sow peas'], ['Done', 'Water', 'Dig']);

  const eve = await open({ id: '64e3', name: 'Eve' });
  await show(board, [eve], { people: ['Ann', 'Ben', 'Eve (you)'], columns: [['Todo', 'Sow peas'], ['Done', 'Water', 'Dig']] });
  await show(board, [ann], { people: ['Ann (you)', 'Ben', 'Eve'], columns: [['Todo', 'Sow peas'], ['Done', 'Water', 'Dig']] });
  await close(eve);
  await both(['Todo', 'Sow peas'], ['Done', 'Water', 'Dig']);

  return async (server) => {
    const offlineCard = () => addCard(ann, 'Todo', 'Rest');
    await kill(server, [ann, ben], offlineCard, async () => {
      await show(board, [ann], { people: ['Ann (you)'], columns: [['Todo', 'Sow peas', 'Rest'], ['Done', 'Water', 'Dig']] });
      await addCard(ann, 'Done', 'Sweep');
      await show(board, [ann], { people: ['Ann (you)'], columns: [['Todo', 'Sow peas', 'Rest'], ['Done', 'Water', 'Dig', 'Sweep']] });
    });
    await both(['Todo', 'Sow peas', 'Rest'], ['Done', 'Water', 'Dig', 'Sweep']);
    await press(card(ann, 'Sow peas'), 'right');
    await both(['Todo', 'Rest'], ['Done', 'Sow peas', 'Water', 'Dig', 'Sweep']);
    await close(ann);
    await close(ben);
  };
});

// The whiteboard: its notes by text, the mouse cursors of the others, who is there, and the chat.

const whiteboard = () => ({
  notes: [...document.querySelectorAll('.note')].map((note) => [note.textContent, note.style.left, note.style.top].join(' ')),
  people: [...document.querySelectorAll('#people li')].map((person) => person.textContent).sort(),
  count: document.querySelector('#count').textContent,
  messages: [...document.querySelectorAll('#messages li')].map((message) => message.textContent),
});
const activity = () => [...document.querySelectorAll('#activity li')].map((node) => node.textContent);
const cursors = () => [...document.querySelectorAll('.cursor')].map((node) => node.textContent);
const eves = () => [...document.querySelectorAll('.cursor')].map((node) => node.textContent).filter((text) => text.startsWith('Eve'));
const typing = () => document.querySelector('#typing').textContent;
const note = (page, text) => page.locator('.note', { hasText: text });

/** A place on the canvas of `page`, as the mouse knows it. */
async function at(page, x, y) {
  const box = await page.locator('#canvas').boundingBox();
  return [box.x + x, box.y + y];
}

async function point(page, x, y) {
  await page.mouse.move(...(await at(page, x, y)));
}

async function addNote(page, text, x, y) {
  await answer(page, text, async () => page.mouse.dblclick(...(await at(page, x, y))));
}

async function say(page, text) {
  await page.getByPlaceholder('message').fill(text);
  await page.getByPlaceholder('message').press('Enter');
}

play('whiteboard-chat', async (open) => {
  const ann = await open({ name: 'Ann', color: 'red' });
  await show(whiteboard, [ann], { notes: [], people: ['Ann'], count: '1', messages: [] });
  const ben = await open({ name: 'Ben', color: 'blue' });
  const both = (notes, messages) => show(whiteboard, [ann, ben], { notes, people: ['Ann', 'Ben'], count: '2', messages });
  await both([], []);
  await show(activity, [ann], ['Ben came']);
  await show(activity, [ben], []);
  for (const page of [ann, ben]) await page.locator('#heartbeat', { hasText: 'ok' }).waitFor();

  await point(ann, 100, 50);
  await show(cursors, [ben], ['Ann at 100,50']);
  await point(ann, 300, 60);
  await show(cursors, [ben], ['Ann at 300,60']);
  await point(ben, 10, 20);
  await show(cursors, [ann], ['Ben at 10,20']);

  await addNote(ann, 'roof', 200, 100);
  await both(['roof 200px 100px'], []);
  await addNote(ben, 'door', 300, 200);
  await both(['roof 200px 100px', 'door 300px 200px'], []);
  await answer(ben, 'red roof', () => note(ben, 'roof').dblclick());
  await both(['red roof 200px 100px', 'door 300px 200px'], []);
  await note(ann, 'door').hover();
  await ann.mouse.down();
  await point(ann, 400, 300);
  await point(ann, 410, 310);
  await ann.mouse.up();
  await both(['red roof 200px 100px', 'door 410px 310px'], []);
  await answer(ben, '', () => note(ben, 'roof').dblclick());
  await both(['door 410px 310px'], []);

  await ann.getByPlaceholder('message').fill('He');
  await show(typing, [ben], 'Ann is typing');
  await show(typing, [ann], '');
  await say(ann, 'Hello');
  await show(typing, [ben], '');
  await both(['door 410px 310px'], ['Ann: Hello']);
  await say(ben, 'Hi <b>Ann</b>');
  await both(['door 410px 310px'], ['Ann: Hello', 'Ben: Hi <b>Ann</b>']);

  const eve = await open({ name: 'Eve' });
  const said = ['Ann: Hello', 'Ben: Hi <b>Ann</b>'];
  await show(whiteboard, [ann, ben, eve], { notes: ['door 410px 310px'], people: ['Ann', 'Ben', 'Eve'], count: '3', messages: said });
  await point(eve, 5, 6);
  await show(eves, [ann, ben], ['Eve at 5,6']);
  const elsewhere = await open({ name: 'Joe', room: 'another' });
  await show(whiteboard, [elsewhere], { notes: [], people: ['Joe'], count: '1', messages: [] });
  await close(eve);
  await both(['door 410px 310px'], said);
  await show(activity, [ann], ['Ben came', 'Eve came', 'Eve left']);
  await show(activity, [ben], ['Eve came', 'Eve left']);
  await show(eves, [ann, ben], []);
  await close(elsewhere);

  return async (server) => {
    const away = async () => {
      await say(ann, 'Is anybody there?');
      await addNote(ben, 'window', 20, 30);
    };
    await kill(server, [ann, ben], away, async () => {
      await say(ann, 'Ben?');
      const messages = [...said, 'Ann: Is anybody there?', 'Ann: Ben?'];
      await show(whiteboard, [ann], { notes: ['door 410px 310px'], people: ['Ann'], count: '1', messages });
    });
    const notes = ['door 410px 310px', 'window 20px 30px'];
    await both(notes, [...said, 'Ann: Is anybody there?', 'Ann: Ben?']);
    await say(ben, 'Yes');
    await both(notes, [...said, 'Ann: Is anybody there?', 'Ann: Ben?', 'Ben: Yes']);
    for (const page of [ann, ben]) await page.locator('#heartbeat', { hasText: 'ok' }).waitFor();
    await close(ann);
    await close(ben);
  };
});

// The sprint: tasks with their status, whom they are for, and their comments; and what the page says to its user.

const sprint = () => ({
  me: document.querySelector('#me').textContent,
  online: document.querySelector('#online').textContent,
  tasks: [...document.querySelectorAll('.task')].map((task) => [
    task.querySelector('.title').textContent,
    task.dataset.status,
    ...[...task.querySelectorAll('.assignee:not(:empty)')].map((node) => node.textContent),
    ...[...task.querySelectorAll('.comments li')].map((node) => node.firstChild.textContent),
  ]),
});
const notice = () => document.querySelector('#notice').textContent;
const notifications = () => [...document.querySelectorAll('#notifications li')].map((node) => node.textContent);
const task = (page, title) => page.locator('.task', { has: page.locator('.title', { hasText: title }) });

async function addTask(page, title, status) {
  await page.getByPlaceholder('task').fill(title);
  await page.locator('#new-task select').selectOption(status);
  await press(page.locator('#new-task'), 'add');
}

async function comment(page, title, text) {
  await task(page, title).getByPlaceholder('comment').fill(text);
  await task(page, title).getByPlaceholder('comment').press('Enter');
}

async function draft(page, title, text) {
  await press(task(page, title), 'edit');
  await task(page, title).locator('.draft').fill(text);
}

play('sprint-room', async (open, server) => {
  const ann = await open({ id: 'u1', name: 'Ann' });
  await show(sprint, [ann], { me: 'Ann (u1)', online: '1', tasks: [] });
  const ben = await open({ id: 'u2', name: 'Ben' });
  const both = async (...tasks) => {
    await show(sprint, [ann], { me: 'Ann (u1)', online: '2', tasks });
    await show(sprint, [ben], { me: 'Ben (u2)', online: '2', tasks });
  };
  await both();
  await addTask(ann, 'Plan', 'todo');
  await show(notice, [ann], 'Added "Plan"');
  await both(['Plan', 'todo']);
  await addTask(ben, 'Build', 'doing');
  await both(['Plan', 'todo'], ['Build', 'doing']);
  await task(ben, 'Plan').locator('select').selectOption('done');
  await both(['Plan', 'done'], ['Build', 'doing']);

  // Both edit the same: who saves later is refused, and keeps what the other one wrote.
  await draft(ben, 'Build', 'Build it of stone');
  await draft(ann, 'Build', 'Build it of wood');
  await press(task(ann, 'Build'), 'save');
  await both(['Plan', 'done'], ['Build it of wood', 'doing']);
  await press(task(ben, 'Build'), 'save');
  await show(notice, [ben], '"Build it of wood" was not changed: conflict');
  await show(notice, [ann], '');
  await both(['Plan', 'done'], ['Build it of wood', 'doing']);

  await task(ann, 'Build').getByPlaceholder('user').fill('u2');
  await task(ann, 'Build').getByPlaceholder('user').press('Enter');
  await show(notice, [ann], '"Build it of wood" is for u2');
  await both(['Plan', 'done'], ['Build it of wood', 'doing', 'for u2']);
  await show(notifications, [ben], ['Ann gave you Build it of wood']);
  await server.notify('u1', { title: 'The build is broken' });
  await show(notifications, [ann], ['The build is broken']);
  await show(notifications, [ben], ['Ann gave you Build it of wood']);

  await comment(ann, 'Plan', 'Are we done?');
  await both(['Plan', 'done', 'Ann: Are we done?'], ['Build it of wood', 'doing', 'for u2']);
  await comment(ben, 'Plan', 'We are');
  await comment(ben, 'Build', 'With a saw');
  const [plan, build] = [['Plan', 'done', 'Ann: Are we done?', 'Ben: We are'], ['Build it of wood', 'doing', 'for u2', 'Ben: With a saw']];
  await both(plan, build);
  assert.equal(await task(ann, 'Plan').locator('.comments button').count(), 1);
  await press(task(ann, 'Plan').locator('.comments'), 'x');
  await both(['Plan', 'done', 'Ben: We are'], build);
  await addTask(ann, 'Sleep', 'todo');
  await both(['Plan', 'done', 'Ben: We are'], build, ['Sleep', 'todo']);
  await press(task(ben, 'Plan'), 'remove');
  await show(notice, [ben], 'Removed');
  await both(build, ['Sleep', 'todo']);

  // Who comes later is told everything, and of their going.
  const eve = await open({ id: 'u3', name: 'Eve' });
  await show(sprint, [eve], { me: 'Eve (u3)', online: '3', tasks: [build, ['Sleep', 'todo']] });
  await show(sprint, [ann], { me: 'Ann (u1)', online: '3', tasks: [build, ['Sleep', 'todo']] });
  await close(eve);
  await both(build, ['Sleep', 'todo']);

  return async (boardcast) => {
    await kill(boardcast, [ann, ben], () => comment(ann, 'Sleep', 'Soon'), async () => {
      await show(sprint, [ann], { me: 'Ann (u1)', online: '1', tasks: [build, ['Sleep', 'todo', 'Ann: Soon']] });
      await addTask(ann, 'Wake', 'todo');
      await show(notice, [ann], 'Added "Wake"');
    });
    await both(build, ['Sleep', 'todo', 'Ann: Soon'], ['Wake', 'todo']);
    await server.notify('u2', { title: 'It is back' });
    await show(notifications, [ben], ['Ann gave you Build it of wood', 'It is back']);
    await comment(ben, 'Sleep', 'Now');
    await both(build, ['Sleep', 'todo', 'Ann: Soon', 'Ben: Now'], ['Wake', 'todo']);
    await show(notifications, [ann], ['The build is broken']);
    await close(ann);
    await close(ben);
  };
});

test('all three before one boardcast', async (t) => {
  const server = await SERVERS.boardcast(t, 'kanban-mongo', 'whiteboard-chat', 'sprint-room');
  const open = await browse(t, server.url);
  const pages = [];
  for (const [id, name] of [['u1', 'Ann'], ['u2', 'Ben']]) {
    const kanban = await open('kanban-mongo', { id, name });
    pages.push({ kanban, drawing: await open('whiteboard-chat', { name }), tasks: await open('sprint-room', { id, name }) });
  }
  const [ann, ben] = pages;
  await addColumn(ann.kanban, 'Todo');
  await say(ann.drawing, 'Hello');
  await addTask(ann.tasks, 'Plan', 'todo');
  await show(board, [ben.kanban], { people: ['Ann', 'Ben (you)'], columns: [['Todo']] });
  await show(whiteboard, [ben.drawing], { notes: [], people: ['Ann', 'Ben'], count: '2', messages: ['Ann: Hello'] });
  await show(sprint, [ben.tasks], { me: 'Ben (u2)', online: '2', tasks: [['Plan', 'todo']] });
  for (const page of pages.flatMap(Object.values)) await close(page);
});
