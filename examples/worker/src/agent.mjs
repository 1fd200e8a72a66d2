// POST /api/agent/generate: begins to write something, answers at once, and tells the session how it goes.

import { randomUUID } from 'node:crypto';
import { generate } from './generate.mjs';

const PATH = '/api/agent/generate';
const MAX_BODY = 1024 * 1024;
const MAX_TASKS = 20;
/** Chunks between two reports. */
const REPORT_EVERY = 5;

/** The handler of requests of an HTTP server. */
export function agentEndpoint(backend, write = generate) {
  let running = 0;
  return async (request, response) => {
    const answer = (status, body) => response.writeHead(status, headers(request)).end(body && JSON.stringify(body));
    if (new URL(request.url, 'http://worker').pathname !== PATH) return answer(404, { error: 'there is nothing here' });
    if (request.method === 'OPTIONS') return answer(204);
    if (request.method !== 'POST') return answer(405, { error: 'use POST' });
    const asked = await read(request);
    if (asked.error) return answer(400, asked);
    if (running === MAX_TASKS) return answer(503, { error: `${MAX_TASKS} tasks are running` });
    running += 1;
    run(backend, write, asked)
      .catch((error) => console.error(`task of ${asked.sessionId}: ${error.message}`))
      .finally(() => (running -= 1));
    return answer(202, { success: true, taskId: randomUUID(), sessionId: asked.sessionId });
  };
}

/** Pages of other origins may ask: they show nothing that this server would know. */
const headers = ({ headers: { origin } }) => ({
  'Content-Type': 'application/json',
  ...(origin && { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Headers': 'Content-Type', Vary: 'Origin' }),
});

async function read(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY) return { error: `the body has more than ${MAX_BODY} bytes` };
  }
  try {
    const { sessionId, prompt, mode = 'generate', targetFile, code } = JSON.parse(text);
    for (const [name, value] of Object.entries({ sessionId, prompt })) {
      if (typeof value !== 'string' || value === '') return { error: `${name} must be a text` };
    }
    return { sessionId, prompt, mode, targetFile, code };
  } catch {
    return { error: 'the body is no JSON object' };
  }
}

async function run(backend, write, asked) {
  const { sessionId, prompt, mode, targetFile } = asked;
  const tell = (type, data) => backend.toSession(sessionId, type, { sessionId, ...data });
  await tell('ai_start', { task: { prompt, mode, targetFile } });
  const progress = { chunksReceived: 0, contentLength: 0 };
  try {
    for await (const chunk of write(asked)) {
      progress.chunksReceived += 1;
      progress.contentLength += chunk.length;
      if (progress.chunksReceived % REPORT_EVERY === 0) await tell('ai_progress', { progress });
    }
  } catch (error) {
    return tell('ai_error', { error: { message: error.message, type: error.type ?? 'generation_error' } });
  }
  const { chunksReceived: chunks, contentLength } = progress;
  return tell('ai_complete', { result: { mode, contentLength, chunks, targetFile } });
}
