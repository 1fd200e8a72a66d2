// A small board server as a team would write it with socket.io and pg: a change is stored with one statement, told to the
// room of its project, and acknowledged. It numbers nothing per project, keeps no log and recovers nobody.
//
// PORT, DATABASE_URL (Postgres); with REDIS_URL, several of them reach each other's rooms.

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import pg from 'pg';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const { DATABASE_URL, REDIS_URL, PORT = '0' } = process.env;
const POOL = 20;
const BACKLOG = 4096;

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: POOL });
// Two that start at once may both want to make the table.
await pool
  .query(
    `CREATE TABLE IF NOT EXISTS board_tasks (
      project text, task text, fields jsonb NOT NULL, version bigint NOT NULL DEFAULT 1, changed timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (project, task))`,
  )
  .catch((error) => {
    if (error.code !== '23505') throw error;
  });

/** Merges fields into a task; its new version. */
async function store({ projectId, taskId, ...fields }) {
  const { rows } = await pool.query({
    name: 'store',
    text: `INSERT INTO board_tasks (project, task, fields) VALUES ($1, $2, $3)
      ON CONFLICT (project, task) DO UPDATE
        SET fields = board_tasks.fields || excluded.fields, version = board_tasks.version + 1, changed = now()
      RETURNING version`,
    values: [projectId, taskId, fields],
  });
  return Number(rows[0].version);
}

const http = createServer((_, response) => response.writeHead(404).end());
const io = new Server(http, { transports: ['websocket'] });
if (REDIS_URL) {
  const publisher = createClient({ url: REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  io.adapter(createAdapter(publisher, subscriber));
}

io.on('connection', (socket) => {
  socket.on('join:project', async (projectId, ack) => {
    await socket.join(`project:${projectId}`);
    ack?.({ ok: true });
  });
  socket.on('task:update', async (change, ack) => {
    try {
      const version = await store(change);
      io.to(`project:${change.projectId}`).emit('task:updated', { ...change, version });
      ack?.({ ok: true, version });
    } catch (error) {
      ack?.({ ok: false, error: error.message });
    }
  });
});

http.listen(Number(PORT), '127.0.0.1', BACKLOG, () => {
  console.log(JSON.stringify({ message: 'listening', address: `127.0.0.1:${http.address().port}` }));
});
