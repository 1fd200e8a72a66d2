import type { Id, Task } from '@boardcast/client';
import { useMemo } from 'react';
import { keyOf, ordered, type Board } from './board.js';
import type { Connection } from './membership.js';
import { ProjectStore } from './projectStore.js';
import { useServer } from './provider.js';
import { useStore } from './store.js';

export interface ProjectView extends Pick<ProjectStore, 'createTask' | 'updateTask' | 'setStatus' | 'send'> {
  readonly connection: Connection;
  /** Null until the first snapshot is there. */
  readonly board: Board | null;
  /** In the order of the board, with the changes that are on their way. */
  readonly tasks: readonly Task[];
  /** Tasks with a change that is on its way. */
  readonly pending: ReadonlySet<string>;
  /** What was refused last, for a person. */
  readonly error: string | null;
}

/** A project, live: its state, and what can be done with it. */
export function useProject(projectId: Id): ProjectView {
  const server = useServer();
  const store = useMemo(() => new ProjectStore(server, projectId), [server, projectId]);
  const { connection, board, optimistic, error } = useStore(store);
  const tasks = useMemo(() => {
    const shown = (task: Task) =>
      (optimistic.get(keyOf(task.id)) ?? []).reduce<Task>((before, { fields }) => ({ ...before, ...fields }), task);
    return ordered(board?.tasks.values() ?? []).map(shown);
  }, [board, optimistic]);
  const pending = useMemo(() => new Set(optimistic.keys()), [optimistic]);
  const { createTask, updateTask, setStatus, send } = store;
  return { connection, board, tasks, pending, error, createTask, updateTask, setStatus, send };
}
