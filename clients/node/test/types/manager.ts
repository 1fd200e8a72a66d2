// How the package looks to those who use it, under `strict`: the programs of the pages.

import { WebSocketManager, getWebSocketManager, type ClientInfo, type Published, type Stats } from '@boardcast/node';

const wsManager = getWebSocketManager();
void wsManager.notifyAIComplete('s', { mode: 'generate', contentLength: 5000, chunks: 100 });
void wsManager.broadcastToUser('u', { type: 'notification', message: 'New update available' });
const stats: Stats = wsManager.getStats();
console.log(`Active connections: ${stats.activeConnections}`);

const manager = new WebSocketManager('http://localhost:8002', {});
void manager.broadcastToClients('ideStatusChanged', {}, (client: ClientInfo) => client['subscribedToIDE']);
void manager.broadcastToClients('ideStatusChanged', {}, { subscribed: ['ide'], version: '<2.0' });
export const reached = async (): Promise<number | undefined> => {
  const published: Published = await manager.sendToClient('c', 'privateMessage', { content: 'for you' });
  return published.reached;
};

// @ts-expect-error a message has a type
void wsManager.broadcastToSession('s', { message: 'x' });
// @ts-expect-error there is no such condition
void manager.broadcastToClients('x', {}, { port: 9222 });
