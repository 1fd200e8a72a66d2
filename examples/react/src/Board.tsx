import type { Id, Task } from '@boardcast/client';
import { usePresence, useProject } from '@boardcast/react';
import { useState, type FormEvent } from 'react';

const COLUMNS = ['todo', 'doing', 'done'] as const;

/** A status that is no column stands in the first one. */
const columnOf = (task: Task) => COLUMNS.find((column) => column === task.status) ?? COLUMNS[0];

export function Board({ projectId }: { projectId: Id }) {
  const { connection, board, tasks, pending, error, createTask, setStatus } = useProject(projectId);
  return (
    <section>
      <header>
        <h1>{board?.project?.title ?? projectId}</h1>
        <People projectId={projectId} />
        <output className={connection}>{connection}</output>
      </header>
      {error && <p role="alert">{error}</p>}
      <NewTask add={(title) => void createTask({ title, status: COLUMNS[0] })} />
      <div className="columns">
        {COLUMNS.map((column) => (
          <ol key={column} aria-label={column}>
            {tasks
              .filter((task) => columnOf(task) === column)
              .map((task) => (
                <li key={String(task.id)} className={pending.has(String(task.id)) ? 'pending' : ''}>
                  <span>{task.title}</span>
                  <Moves column={column} move={(status) => void setStatus(task, status)} />
                </li>
              ))}
          </ol>
        ))}
      </div>
    </section>
  );
}

function People({ projectId }: { projectId: Id }) {
  const { people } = usePresence(projectId);
  return <small aria-label="people">{people.map(({ userId }) => userId).join(', ')}</small>;
}

function Moves({ column, move }: { column: (typeof COLUMNS)[number]; move: (status: string) => void }) {
  const others = COLUMNS.filter((other) => other !== column);
  return (
    <span>
      {others.map((other) => (
        <button key={other} type="button" onClick={() => move(other)}>
          {other}
        </button>
      ))}
    </span>
  );
}

function NewTask({ add }: { add: (title: string) => void }) {
  const [title, setTitle] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (title.trim()) add(title.trim());
    setTitle('');
  };
  return (
    <form onSubmit={submit}>
      <input aria-label="title" value={title} onChange={(event) => setTitle(event.target.value)} />
      <button type="submit">add</button>
    </form>
  );
}
