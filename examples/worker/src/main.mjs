// The worker: hears what clients ask on its channel, answers each, and serves POST /api/agent/generate for canvases.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { Answers } from './answers.mjs';
import { agentEndpoint } from './agent.mjs';
import { Backend } from './backend.mjs';
import { Listener } from './listener.mjs';

const { env } = process;
const url = env.BOARDCAST_URL ?? 'http://localhost:8002';
const channel = env.WORKER_CHANNEL ?? 'ai:worker';
const backend = new Backend({ url, apiKey: env.API_KEY, redisUrl: env.REDIS_URL });
const answers = new Answers(backend);

const server = createServer(agentEndpoint(backend));
server.listen(Number(env.PORT ?? 3001), env.HOST ?? '127.0.0.1');
await once(server, 'listening');

const listener = new Listener({
  url,
  apiKey: env.API_KEY,
  channel,
  stateFile: env.STATE_FILE,
  onEvent: (event) => answers.answer(event),
  onOpen: () => console.log(JSON.stringify({ message: 'worker listens', channel, port: server.address().port })),
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    listener.close();
    server.close();
    backend.close();
  });
}
await listener.run();
