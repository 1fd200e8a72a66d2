import type { Epic, Id, Member, Project, ServerToClientEvents, Sprint, Task } from '@boardcast/client';
import { keyOf, type Change } from './board.js';
import { listen, type BoardSocket } from './socket.js';

type Told<T> = T & { readonly projectId: Id; readonly seq: number };
type Gone = Told<{ readonly id: Id }>;

/** Hears all changes of a project; returns how to stop. Names of events and payloads are checked by their types. */
export function listenToProject(socket: BoardSocket, projectId: Id, told: (change: Change) => void): () => void {
  const hear = (change: Change, of: Id) => {
    if (keyOf(of) === keyOf(projectId)) told(change);
  };
  const task = (row: Told<Task>) => hear({ table: 'tasks', seq: row.seq, id: row.id, row }, row.projectId);
  const epic = (row: Told<Epic>) => hear({ table: 'epics', seq: row.seq, id: row.id, row }, row.projectId);
  const sprint = (row: Told<Sprint>) => hear({ table: 'sprints', seq: row.seq, id: row.id, row }, row.projectId);
  const member = (row: Told<Member>) => hear({ table: 'members', seq: row.seq, id: row.id, row }, row.projectId);
  const project = (row: Told<Project>) => hear({ table: 'project', seq: row.seq, row }, row.projectId);
  const gone = (table: 'tasks' | 'epics' | 'sprints' | 'members') => (row: Gone) =>
    hear({ table, seq: row.seq, id: row.id, row: null }, row.projectId);

  const heard = {
    'task:created': task,
    'task:updated': task,
    'task:status_changed': task,
    'task:moved': task,
    'task:restored': task,
    'task:deleted': gone('tasks'),
    'epic:created': epic,
    'epic:updated': epic,
    'epic:restored': epic,
    'epic:deleted': gone('epics'),
    'sprint:created': sprint,
    'sprint:updated': sprint,
    'sprint:started': sprint,
    'sprint:completed': sprint,
    'sprint:restored': sprint,
    'sprint:deleted': gone('sprints'),
    'member:added': member,
    'member:updated': member,
    'member:removed': gone('members'),
    'project:created': project,
    'project:updated': project,
    'project:restored': project,
    'project:deleted': ({ seq, projectId: of }) => hear({ table: 'project', seq, row: null }, of),
  } satisfies Partial<ServerToClientEvents>;

  return listen(socket, heard);
}
