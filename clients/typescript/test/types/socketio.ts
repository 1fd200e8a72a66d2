// Typed events, and the programs of the pages, under `strict`.

import {
  AutoSDLCWebSocketClient, BoardcastClient, connect, WebSocketService, type ClientConfig, type EventHandler, type JoinAnswer, type MessageType,
  type SubscriptionConfig, type TaskAccepted, type Unsubscribe, type WebSocketMessage,
} from '@boardcast/client';

interface Published extends Record<string, unknown> {
  ai_progress: { chunksReceived: number };
}

const client: BoardcastClient<Published> = connect<Published>('http://localhost:8002', { token: () => 'fresh', io: { path: '/socket.io/' } });
client.on('task:status_changed', ({ oldStatus, newStatus }, cursor?: string) => [oldStatus, newStatus, cursor]);
client.on('ai_progress', ({ chunksReceived }) => chunksReceived.toFixed());
client.on('*', (name: string) => name);

export async function use(): Promise<number> {
  const joined: JoinAnswer = await client.join('demo', { snapshot: true });
  const created: TaskAccepted = await client.emit('task:create', { projectId: joined.projectId, title: 'Sow' });
  await client.emit('custom:event', { anything: 1 });
  return created.data.version;
}

// @ts-expect-error a status is wanted
void client.emit('task:status', { taskId: 't' });
// @ts-expect-error it is a number
client.on('ai_progress', ({ chunksReceived }) => chunksReceived.trim());
// @ts-expect-error no task has this
client.on('task:deleted', ({ deletedBy }) => deletedBy.nothing);

const ws = new WebSocketService();
ws.connect();
const stop: Unsubscribe = ws.on('task:updated', (data) => console.log('Task updated:', data));
void ws.send('task:update', { projectId: '123', taskId: '456', status: 'completed' });
stop();
ws.disconnect();

const config: ClientConfig = { url: 'ws://localhost:8002/ws/v1', apiKey: 'k' };
const subscription: SubscriptionConfig = { agentId: 'coder-001', events: ['status', 'task_update', 'metrics'] };
const heard: EventHandler = (message: WebSocketMessage) => [message.type satisfies MessageType, message.metadata?.correlationId];
export async function watch(): Promise<string> {
  const agents = new AutoSDLCWebSocketClient(config);
  const connected: void = await agents.connect();
  agents.on('agent_status', heard);
  const message: Partial<WebSocketMessage> = { type: 'agent_status', data: { status: 'busy' } };
  const sent: void = await agents.send(message);
  void [connected, sent];
  return agents.subscribe(subscription);
}
