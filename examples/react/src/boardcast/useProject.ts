import type { AccessRevoked, Answer, Id, ProjectReset, ProjectState, Refused, Task, TaskAccepted, TaskCreate } from 'boardcast';
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from 'react';
import { useSocket } from './context';
import { listen } from './listen';
import { acknowledged, applied, boardOf, keyOf, ordered, type Board, type Change } from './project';
import { ask } from './socket';

export type Connection = 'connecting' | 'live' | 'offline' | 'refused';

export interface ProjectView {
  readonly connection: Connection;
  /** Null until the first snapshot is there. */
  readonly board: Board | null;
  /** In the order of the board, with the changes that are on their way. */
  readonly tasks: readonly Task[];
  /** Tasks with a change that is on its way. */
  readonly pending: ReadonlySet<string>;
  /** What was refused last, for a person. */
  readonly error: string | null;
  createTask(fields: Pick<TaskCreate, 'title' | 'status'>): Promise<void>;
  setStatus(task: Task, status: string): Promise<void>;
}

interface Optimistic {
  readonly status: string;
  readonly attempt: number;
}

interface State {
  readonly board: Board | null;
  /** What is heard while a snapshot is on its way: it may be newer than that. */
  readonly early: readonly Change[] | null;
  readonly optimistic: ReadonlyMap<string, Optimistic>;
}

type Action =
  | { type: 'joining' }
  | { type: 'snapshot'; board: Board }
  | { type: 'change'; change: Change }
  | { type: 'acked'; task: Task }
  | { type: 'begun'; id: string; change: Optimistic }
  | { type: 'ended'; id: string; attempt: number }
  | { type: 'left' };

const NOTHING: State = { board: null, early: null, optimistic: new Map() };

function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'joining':
      return { ...state, early: [] };
    case 'snapshot':
      return { ...state, board: (state.early ?? []).reduce(applied, action.board), early: null };
    case 'change':
      return {
        ...state,
        board: state.board && applied(state.board, action.change),
        early: state.early && [...state.early, action.change],
      };
    case 'acked':
      return state.board ? { ...state, board: acknowledged(state.board, action.task) } : state;
    case 'begun':
      return { ...state, optimistic: new Map(state.optimistic).set(action.id, action.change) };
    case 'ended': {
      // A newer change of the same task stays.
      if (state.optimistic.get(action.id)?.attempt !== action.attempt) return state;
      const optimistic = new Map(state.optimistic);
      optimistic.delete(action.id);
      return { ...state, optimistic };
    }
    case 'left':
      return NOTHING;
  }
}

/** A project, live: its state, and what can be done with it. */
export function useProject(projectId: Id): ProjectView {
  const socket = useSocket();
  const [state, dispatch] = useReducer(reduce, NOTHING);
  const [connection, setConnection] = useState<Connection>('connecting');
  const [error, setError] = useState<string | null>(null);
  const attempts = useRef(0);

  useEffect(() => {
    let [left, joined] = [false, false];
    const live = (state: ProjectState) => {
      joined = true;
      dispatch({ type: 'snapshot', board: boardOf(state) });
      setConnection('live');
      setError(null);
    };
    const join = async () => {
      dispatch({ type: 'joining' });
      try {
        const answer = await ask(socket, 'join:project', { projectId, snapshot: true });
        if (left) return;
        if (!answer.ok) {
          setError(answer.error);
          setConnection('refused');
        } else if (answer.snapshot) {
          live(answer.snapshot);
        }
      } catch {
        // No answer in time. If the connection broke, `connect` comes again.
        if (!left && socket.connected) void join();
      }
    };
    // After a short break the server goes on where it was, by itself, and nothing is missing.
    const onConnect = () => {
      if (socket.recovered && joined) setConnection('live');
      else void join();
    };
    const onDisconnect = () => setConnection('offline');
    const onConnectError = (reason: Error) => {
      setError(reason.message);
      setConnection(socket.active ? 'offline' : 'refused');
    };
    const ours = (id: Id) => keyOf(id) === keyOf(projectId);
    const onReset = (reset: ProjectReset) => {
      if (ours(reset.projectId)) live(reset.snapshot);
    };
    const onRevoked = (revoked: AccessRevoked) => {
      if (!ours(revoked.projectId)) return;
      dispatch({ type: 'left' });
      setError('you are no longer in this project');
      setConnection('refused');
    };
    const stop = listen(socket, projectId, (change) => dispatch({ type: 'change', change }));
    socket.on('connect', onConnect);
    socket.on('disconnect', onDisconnect);
    socket.on('connect_error', onConnectError);
    socket.on('project:reset', onReset);
    socket.on('session:reset', join);
    socket.on('project:access_revoked', onRevoked);
    if (socket.connected) void join();
    return () => {
      left = true;
      stop();
      socket.off('connect', onConnect);
      socket.off('disconnect', onDisconnect);
      socket.off('connect_error', onConnectError);
      socket.off('project:reset', onReset);
      socket.off('session:reset', join);
      socket.off('project:access_revoked', onRevoked);
      if (socket.connected) socket.emit('leave:project', projectId);
      dispatch({ type: 'left' });
    };
  }, [socket, projectId]);

  /** Takes an answer to a change; the refusal, if it is one. */
  const settle = useCallback(async (asked: Promise<Answer<TaskAccepted>>): Promise<Refused | null> => {
    const answer = await asked.catch(() => NO_ANSWER);
    setError(answer.ok ? null : answer.error);
    if (!answer.ok) return answer;
    dispatch({ type: 'acked', task: answer.data });
    return null;
  }, []);

  const createTask = useCallback<ProjectView['createTask']>(
    async (fields) => {
      const command = { projectId, ...fields, idempotencyKey: newKey() };
      await settle(ask(socket, 'task:create', command));
    },
    [socket, projectId, settle],
  );

  const setStatus = useCallback<ProjectView['setStatus']>(
    async (task, status) => {
      const id = keyOf(task.id);
      const attempt = ++attempts.current;
      dispatch({ type: 'begun', id, change: { status, attempt } });
      // With the version, the server refuses this if somebody else has moved the task meanwhile.
      const command = { projectId, taskId: task.id, status, expectedVersion: task.version, idempotencyKey: newKey() };
      await settle(ask(socket, 'task:status', command));
      // Accepted or refused: from now on what the server says is shown.
      dispatch({ type: 'ended', id, attempt });
    },
    [socket, projectId, settle],
  );

  const { board, optimistic } = state;
  const tasks = useMemo(() => {
    const shown = (task: Task) => {
      const change = optimistic.get(keyOf(task.id));
      return change ? { ...task, status: change.status } : task;
    };
    return ordered(board?.tasks.values() ?? []).map(shown);
  }, [board, optimistic]);
  const pending = useMemo(() => new Set(optimistic.keys()), [optimistic]);
  return { connection, board, tasks, pending, error, createTask, setStatus };
}

const NO_ANSWER: Refused = {
  ok: false,
  success: false,
  code: 'unavailable',
  retryable: true,
  error: 'the server has not answered; try again',
};

/** A key under which a command has one effect. `crypto.randomUUID` is missing where pages come over plain HTTP. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}
