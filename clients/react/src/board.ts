// The state of a project as a component knows it: a snapshot, and the events after it. Nothing here knows React or a
// socket.

import type { Epic, Id, Member, Project, ProjectState, Sprint, Task } from '@boardcast/client';

/** Ids are the same if their text is: 7 and "7". */
export const keyOf = (id: Id): string => String(id);

type Table<T> = ReadonlyMap<string, T>;

export interface Board {
  readonly seq: number;
  readonly project: Project | null;
  readonly tasks: Table<Task>;
  readonly epics: Table<Epic>;
  readonly sprints: Table<Sprint>;
  readonly members: Table<Member>;
}

type Tables = Pick<Board, 'tasks' | 'epics' | 'sprints' | 'members'>;

/** What an event changes. */
export type Change = { readonly seq: number } & (
  | { readonly table: 'project'; readonly row: Project | null }
  | { [T in keyof Tables]: { readonly table: T; readonly id: Id; readonly row: RowOf<T> | null } }[keyof Tables]
);
type RowOf<T extends keyof Tables> = Tables[T] extends Table<infer Row> ? Row : never;

const table = <T extends { id: Id }>(rows: readonly T[]): Table<T> => new Map(rows.map((row) => [keyOf(row.id), row]));

export function boardOf(state: ProjectState): Board {
  return {
    seq: state.seq,
    project: state.project,
    tasks: table(state.tasks),
    epics: table(state.epics),
    sprints: table(state.sprints),
    members: table(state.members),
  };
}

/** The board after an event. One that it has seen already, in its snapshot for example, changes nothing. */
export function applied(board: Board, change: Change): Board {
  if (change.seq <= board.seq) return board;
  if (change.table === 'project') return { ...board, seq: change.seq, project: change.row };
  const rows = new Map<string, Task | Epic | Sprint | Member>(board[change.table]);
  if (change.row) rows.set(keyOf(change.id), change.row);
  else rows.delete(keyOf(change.id));
  return { ...board, seq: change.seq, [change.table]: rows };
}

/** The board with a task as an ack tells of it, unless an event has told something newer already. */
export function acknowledged(board: Board, task: Task): Board {
  const known = board.tasks.get(keyOf(task.id));
  if (known && known.version >= task.version) return board;
  return { ...board, tasks: new Map(board.tasks).set(keyOf(task.id), task) };
}

/** Tasks in the order of the board: ranks are compared by code units, not as words of a language. */
export function ordered(tasks: Iterable<Task>): Task[] {
  return [...tasks].sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0));
}
