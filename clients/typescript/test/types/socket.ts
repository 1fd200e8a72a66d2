// How the package looks to those who use it, under `strict`.

import {
  BoardcastSocket, QueueFullError, RefusedError, type FlatEvent, type Reset, type SocketAnswer, type SocketMessage, type SocketOptions,
  type StateChange, type Subscription, type Task, type Unsubscribe,
} from '@boardcast/client';
import { BoardcastSocket as Alone } from '@boardcast/client/websocket';

const options: SocketOptions = {
  token: async () => 'fresh',
  reconnect: { minDelayMs: 100, maxDelayMs: 5_000, maxAttempts: 10 },
  queue: { messages: 10, size: 10_000, whenFull: 'drop-oldest' },
  WebSocket,
};
const socket: BoardcastSocket = new Alone('ws://localhost:8002/ws', options);
const stop: Unsubscribe = socket.on('ai_progress', (message: SocketMessage) => message.data);
stop();
socket.onState(({ state, retryInMs }: StateChange) => [state satisfies string, retryInMs]);
socket.onReset(({ channel, snapshot }: Reset) => [channel, snapshot]);

export async function use(): Promise<Task> {
  await socket.connect();
  const subscription: Subscription = await socket.subscribe({ agentId: 'a', events: ['status', 'metrics'] });
  await subscription.unsubscribe();
  try {
    const answer: SocketAnswer = await socket.send('task:create', { projectId: 'p', title: 'Sow' });
    return answer.data as Task;
  } catch (error) {
    if (error instanceof RefusedError) throw new Error(`${error.code} ${error.field}`);
    if (error instanceof QueueFullError) throw new Error('later');
    throw error;
  }
}

export const seqOf = (event: FlatEvent): number | undefined => event.seq;

// @ts-expect-error a message has a type
void socket.send({ data: {} });
// @ts-expect-error there is no such option
new BoardcastSocket('ws://localhost', { retries: 3 });
// @ts-expect-error a handler is a function
socket.on('x', 'y');
