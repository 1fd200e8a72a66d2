// Not run: `tsc` fails if a line that must be refused is not, or one that must be accepted is.

import type {
  Acked,
  Ack,
  Answer,
  AnswerOf,
  ClientToServerEvents,
  FlatServerMessage,
  JoinAnswer,
  PayloadOf,
  Refresh,
  Refused,
  ServerToClientEvents,
  Spelled,
  StreamData,
  Styled,
  TaskAccepted,
} from '@boardcast/client';
import type { Socket } from 'socket.io-client';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <_ extends true>() => {};

declare const socket: Socket<ServerToClientEvents, ClientToServerEvents>;
declare const acked: Socket<ServerToClientEvents, Acked<ClientToServerEvents>>;
declare const dashed: Socket<Styled<ServerToClientEvents, 'dash'>, ClientToServerEvents>;
declare const custom: Socket<
  ServerToClientEvents & { ai_progress: (data: { chunks: number }, cursor?: string) => void },
  ClientToServerEvents
>;

export function hears() {
  socket.on('task:updated', (task, cursor) => {
    sure<Same<typeof task.version, number>>();
    sure<Same<typeof cursor, string | undefined>>();
    const id: string | number = task.taskId;
    // What clients may add is there, and nobody knows its type.
    sure<Same<typeof task.colour, unknown>>();
    return id;
  });
  socket.on('task:status_changed', ({ oldStatus, newStatus, seq }) => [oldStatus, newStatus, seq]);
  socket.on('task:deleted', ({ deletedAt, deletedBy }) => [deletedAt, deletedBy]);
  socket.on('member:added', ({ role }) => role === 'viewer');
  socket.on('event', ({ channel, type, data }) => [channel, type, data]);
  socket.on('session:cursor', (cursor) => cursor.length);
  custom.on('ai_progress', ({ chunks }) => chunks + 1);
  dashed.on('task-status-changed', ({ newStatus }) => newStatus);

  // @ts-expect-error: there is no such event
  socket.on('task:upated', () => {});
  // @ts-expect-error: it is spelled with dashes there
  dashed.on('task:status_changed', () => {});
  // @ts-expect-error: versions are numbers
  socket.on('task:created', (task: { version: string }) => task);
  // @ts-expect-error: a deletion does not say what the task was
  socket.on('task:deleted', ({ rank }) => rank.length);
  // @ts-expect-error: signals have no cursor
  socket.on('typing', (_signal, cursor) => cursor);
  // @ts-expect-error: not a role
  socket.on('member:added', ({ role }) => role === 'king');
}

export async function says() {
  socket.emit('join:project', 'demo');
  socket.emit('join:project', { projectId: 7, since: 12, snapshot: true }, (answer) => {
    sure<Same<typeof answer, Answer<JoinAnswer>>>();
    if (answer.ok) return answer.presenceCount;
    return answer.code === 'not_found' ? answer.error : answer.retryAfterMs;
  });
  socket.emit('task:create', { projectId: 'demo', title: 'Sow', colour: 'green' });
  socket.emit('task:status', { taskId: 't', status: 'done', expectedVersion: 3 });
  socket.emit('subscribe', ['agent:*', 'news']);
  socket.emit('subscribe', { channels: ['agent:*'], types: ['done'], since: 'a cursor' });
  socket.emit('typing', { isTyping: true });
  const answer = await acked.emitWithAck('task:move', { taskId: 't', afterId: 'u', status: 'doing' });
  sure<Same<typeof answer, Answer<TaskAccepted>>>();
  const state: AnswerOf<'project:snapshot'> = await acked.emitWithAck('project:snapshot', 'demo');
  if (state.ok) state.tasks.map((task) => task.rank);
  sure<Same<PayloadOf<'auth:refresh'>, Refresh>>();

  // @ts-expect-error: there is no such event
  socket.emit('task:updated', { taskId: 't' });
  // @ts-expect-error: an id is a string or a number
  socket.emit('join:project', { projectId: true });
  // @ts-expect-error: a task is made in a project
  socket.emit('task:create', { title: 'Sow' });
  // @ts-expect-error: a status is a string
  socket.emit('task:status', { taskId: 't', status: 3 });
  // @ts-expect-error: which task?
  socket.emit('task:update', { status: 'done' });
  // @ts-expect-error: not a role
  socket.emit('member:add', { projectId: 'demo', userId: 'ann', role: 'king' });
  // @ts-expect-error: channels are listed
  socket.emit('subscribe', { channels: 'news' });
  // @ts-expect-error: a refusal has no version
  socket.emit('task:update', { taskId: 't' }, (refused: Refused) => refused.version);
  // @ts-expect-error: whether it was accepted has to be looked at first
  (await acked.emitWithAck('task:update', { taskId: 't' })).data;
  // @ts-expect-error: the ack must be there
  acked.emit('task:update', { taskId: 't' });
}

export function spells() {
  sure<Same<Spelled<'task:status_changed', 'colon'>, 'task:status_changed'>>();
  sure<Same<Spelled<'task:status_changed', 'dash'>, 'task-status-changed'>>();
  sure<Same<Spelled<'task:status_changed', 'snake'>, 'task_status_changed'>>();
  sure<Same<Spelled<'task:status_changed', 'camel'>, 'taskStatusChanged'>>();
  sure<Same<Spelled<'error', 'camel'>, 'error'>>();
  sure<Same<Ack<1>, (answer: Answer<1>) => void>>();
  // @ts-expect-error: they are not the same, and `Same` would say so
  sure<Same<Spelled<'typing', 'dash'>, 'typing:'>>();
}

export function reads(message: FlatServerMessage, data: StreamData) {
  if (message.type === 'pong') return message.timestamp;
  // @ts-expect-error: the message is whatever its publisher said
  return data.message.title;
}
