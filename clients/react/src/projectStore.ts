// A project, live: its state from a snapshot, then from events, and changes that are shown before they are accepted.

import {
  RefusedError,
  wholeState,
  type AcceptedOf,
  type Answer,
  type ClientToServerEvents,
  type Id,
  type PayloadOf,
  type ProjectState,
  type Refused,
  type Task,
  type TaskAccepted,
  type TaskCreate,
  type TaskUpdate,
} from '@boardcast/client';
import { acknowledged, applied, boardOf, keyOf, type Board, type Change } from './board.js';
import { enter, type Connection } from './membership.js';
import { listenToProject } from './projectEvents.js';
import type { Server } from './server.js';
import { ask, listen, type BoardSocket } from './socket.js';
import { Store } from './store.js';

export type TaskFields = Omit<TaskUpdate, 'taskId' | 'projectId' | 'expectedVersion' | 'idempotencyKey'>;
export type NewTask = Omit<TaskCreate, 'projectId' | 'idempotencyKey'>;

interface Optimistic {
  readonly fields: TaskFields;
  readonly attempt: number;
}

export interface ProjectSnapshot {
  readonly connection: Connection;
  readonly board: Board | null;
  /** What was heard while a snapshot is on its way: it may be newer than that. */
  readonly early: readonly Change[] | null;
  /** By task: what is on its way, the oldest first. */
  readonly optimistic: ReadonlyMap<string, readonly Optimistic[]>;
  readonly error: string | null;
}

const NOTHING: ProjectSnapshot = {
  connection: 'connecting',
  board: null,
  early: null,
  optimistic: new Map(),
  error: null,
};

/** Commands whose answer tells what the task is now. */
type TaskCommand = 'task:create' | 'task:update' | 'task:status' | 'task:move';

export class ProjectStore extends Store<ProjectSnapshot> {
  readonly #server: Server;
  readonly #projectId: Id;
  #attempts = 0;
  /** Which state is being put together: only the last one counts. */
  #states = 0;

  constructor(server: Server, projectId: Id) {
    super(NOTHING);
    this.#server = server;
    this.#projectId = projectId;
  }

  protected override open(): () => void {
    const release = this.#server.hold();
    const client = this.#server.client();
    const { socket } = client;
    // A component that is mounted after the client has given up is a reason to try again.
    client.reconnect();
    const place = enter(client, this.#projectId, {
      snapshot: true,
      needsSignals: false,
      onJoining: () => this.change({ early: [] }),
      onJoined: ({ snapshot }) => snapshot && void this.#fill(socket, snapshot).catch(place.refresh),
      onConnection: (connection, error) => this.change({ connection, error }),
      onRevoked: () => this.change({ board: null, optimistic: new Map() }),
    });
    const stops = [
      listenToProject(socket, this.#projectId, (change) => this.#hear(change)),
      listen(socket, {
        'project:reset': ({ projectId, snapshot }) => {
          if (keyOf(projectId) !== keyOf(this.#projectId)) return;
          this.change({ connection: 'live', error: null, early: [] });
          void this.#fill(socket, snapshot).catch(place.refresh);
        },
      }),
      place.leave,
      release,
    ];
    return () => stops.forEach((stop) => stop());
  }

  /** Creates a task in this project. */
  readonly createTask = (fields: NewTask): Promise<Answer<TaskAccepted>> =>
    this.#settle('task:create', { projectId: this.#projectId, ...fields } as TaskCreate);

  /** Changes fields of a task. */
  readonly updateTask = (task: Task, fields: TaskFields): Promise<Answer<TaskAccepted>> =>
    this.#show(task, fields, 'task:update');

  /** Moves a task to another status. */
  readonly setStatus = (task: Task, status: string): Promise<Answer<TaskAccepted>> =>
    this.#show(task, { status }, 'task:status');

  /**
   * Sends any command of this project; its answer. Without a connection it waits for one, and it has one effect, however
   * often the connection breaks.
   */
  readonly send = async <Name extends keyof ClientToServerEvents>(
    name: Name,
    payload: Omit<PayloadOf<Name> & object, 'projectId'>,
  ): Promise<AcceptedOf<Name> | Refused> => {
    const command = { projectId: this.#projectId, ...payload } as PayloadOf<Name>;
    const answer = await this.#server.client().emit(name, command).catch(refusalOf);
    this.change({ error: answer.ok ? null : (answer as Refused).error });
    return answer;
  };

  /** Begins with a state, once all pages of it are there. */
  async #fill(socket: BoardSocket, first: ProjectState): Promise<void> {
    const number = ++this.#states;
    if (first.nextPage === undefined) return this.#begin(boardOf(first));
    const state = await wholeState(first, async (page) => {
      const answer = await ask(socket, 'project:snapshot', { projectId: this.#projectId, page });
      if (!answer.ok) throw new Error(answer.error);
      return answer;
    });
    if (number === this.#states) this.#begin(boardOf(state));
  }

  #begin(board: Board): void {
    this.change({ board: (this.read().early ?? []).reduce(applied, board), early: null });
  }

  #hear(change: Change): void {
    const { board, early } = this.read();
    this.change({ board: board && applied(board, change), early: early && [...early, change] });
  }

  /** Shows the fields at once, until the answer is there: from then on what the server says is shown. */
  async #show(task: Task, fields: TaskFields, name: 'task:update' | 'task:status'): Promise<Answer<TaskAccepted>> {
    const [id, attempt] = [keyOf(task.id), ++this.#attempts];
    const others = () => (this.read().optimistic.get(id) ?? []).filter((each) => each.attempt !== attempt);
    const set = (changes: readonly Optimistic[]) => {
      const optimistic = new Map(this.read().optimistic);
      if (changes.length > 0) optimistic.set(id, changes);
      else optimistic.delete(id);
      this.change({ optimistic });
    };
    set([...others(), { fields, attempt }]);
    // With the version, the server refuses this if somebody else has changed the task meanwhile.
    const command = { taskId: task.id, expectedVersion: task.version, ...fields };
    const answer = await this.#settle(name, command as PayloadOf<typeof name>);
    set(others());
    return answer;
  }

  async #settle<Name extends TaskCommand>(name: Name, payload: object): Promise<Answer<TaskAccepted>> {
    const answer = (await this.send(name, payload as PayloadOf<Name>)) as Answer<TaskAccepted>;
    const { board } = this.read();
    if (answer.ok && board) this.change({ board: acknowledged(board, answer.data) });
    return answer;
  }
}

/** Why a command has no effect, or nobody knows whether it has. */
function refusalOf(error: Error): Refused {
  const unknown: Refused = { ok: false, success: false, code: 'unavailable', retryable: true, error: error.message };
  return error instanceof RefusedError ? { ...unknown, ...(error.refusal as Partial<Refused>) } : unknown;
}
