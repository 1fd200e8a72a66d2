// What crosses the wire of Boardcast. Made from the types in src/contract/schema by
//   BOARDCAST_WRITE=1 cargo nextest run -E 'test(typescript)'
// Do not edit.

/** What clients hear over Socket.IO. A cursor says how far they have been told. */
export interface ServerToClientEvents {
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'project:created': (payload: ProjectEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'project:updated': (payload: ProjectEvent, cursor?: string) => void;
  /** A project was deleted. */
  'project:deleted': (payload: ProjectDeleted, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'project:restored': (payload: ProjectEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'task:created': (payload: TaskEvent, cursor?: string) => void;
  /** A task was changed; if its status was, from what to what. */
  'task:updated': (payload: TaskChanged, cursor?: string) => void;
  /** A task's status was changed. */
  'task:status_changed': (payload: TaskStatusChanged, cursor?: string) => void;
  /** A task was changed; if its status was, from what to what. */
  'task:moved': (payload: TaskChanged, cursor?: string) => void;
  /** A task was deleted. */
  'task:deleted': (payload: TaskDeleted, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'task:restored': (payload: TaskEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'epic:created': (payload: EpicEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'epic:updated': (payload: EpicEvent, cursor?: string) => void;
  /** An epic was deleted. Its tasks follow, each as `task:updated`. */
  'epic:deleted': (payload: EpicDeleted, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'epic:restored': (payload: EpicEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'sprint:created': (payload: SprintEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'sprint:updated': (payload: SprintEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'sprint:started': (payload: SprintEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'sprint:completed': (payload: SprintEvent, cursor?: string) => void;
  /** A sprint was deleted. Its tasks follow, each as `task:updated`. */
  'sprint:deleted': (payload: SprintDeleted, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'sprint:restored': (payload: SprintEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'comment:created': (payload: CommentEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'comment:updated': (payload: CommentEvent, cursor?: string) => void;
  /** A comment was deleted. */
  'comment:deleted': (payload: CommentDeleted, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'comment:restored': (payload: CommentEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'member:added': (payload: MemberEvent, cursor?: string) => void;
  /** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
  'member:updated': (payload: MemberEvent, cursor?: string) => void;
  /** Somebody was removed from a project. */
  'member:removed': (payload: MemberRemoved, cursor?: string) => void;
  /**
   * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
   * page.
   */
  'project:listed': (payload: ProjectListed) => void;
  /**
   * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
   * page.
   */
  'task:listed': (payload: TaskListed) => void;
  /**
   * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
   * page.
   */
  'epic:listed': (payload: EpicListed) => void;
  /**
   * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
   * page.
   */
  'sprint:listed': (payload: SprintListed) => void;
  /**
   * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
   * page.
   */
  'member:listed': (payload: MemberListed) => void;
  /**
   * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
   * page.
   */
  'comment:listed': (payload: CommentListed) => void;
  /** An event of a channel, whatever its type. */
  'event': (payload: ChannelEvent, cursor?: string) => void;
  /** The connection cannot see a project any more, and has left its room. */
  'project:access_revoked': (payload: AccessRevoked, cursor?: string) => void;
  /** What a client missed of a project cannot be had: this is its state, from which events follow. */
  'project:reset': (payload: ProjectReset, cursor?: string) => void;
  /** The connection may not hear a channel any more. */
  'channel:access_revoked': (payload: ChannelRevoked, cursor?: string) => void;
  /** Not everything that a client missed of a channel can be had: it goes on with what is kept. */
  'channel:reset': (payload: ChannelReset, cursor?: string) => void;
  /** It is not known what a client missed, nor of which projects: join what you need. */
  'session:reset': (payload: SessionReset, cursor?: string) => void;
  'session:cursor': (payload: string) => void;
  /** The connection's token expires soon. */
  'auth:expiring': (payload: AuthExpiring) => void;
  /** Somebody came into a project, or says something else of themselves. */
  'presence:join': (payload: PresenceTold) => void;
  /** Somebody came into a project, or says something else of themselves. */
  'presence:update': (payload: PresenceTold) => void;
  /** Somebody's last connection left a project. */
  'presence:leave': (payload: PresenceLeft) => void;
  /** Somebody is typing, or has stopped. It is not logged. */
  'typing': (payload: TypingTold) => void;
  /** Somebody is editing a task, or has stopped. It is not logged. */
  'task:editing': (payload: EditingTold) => void;
  /** What an operator or a backend has to say. It is not logged. */
  'system:notification': (payload: Notification) => void;
  /** A message that was sent without an ack callback was refused. */
  'error': (payload: ErrorTold) => void;
}

/** What clients may say over Socket.IO. */
export interface ClientToServerEvents {
  'auth:refresh': (payload: Refresh, ack?: Ack<RefreshAnswer>) => void;
  'subscribe': (payload: Channels | Subscribe, ack?: Ack<SubscribeAnswer>) => void;
  'unsubscribe': (payload: Channels | Unsubscribe, ack?: Ack<UnsubscribeAnswer>) => void;
  'join:projects': (payload: Id[] | ProjectList, ack?: Ack<SubscribeAnswer>) => void;
  'leave:projects': (payload: Id[] | ProjectList, ack?: Ack<UnsubscribeAnswer>) => void;
  'join:project': (payload: Id | Join, ack?: Ack<JoinAnswer>) => void;
  'leave:project': (payload: Id | ProjectRef, ack?: Ack<LeaveAnswer>) => void;
  'project:snapshot': (payload: Id | SnapshotPage, ack?: Ack<SnapshotAnswer>) => void;
  'project:sync': (payload: Id | Sync, ack?: Ack<SyncAnswer>) => void;
  'tasks:create': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'tasks:update': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'tasks:delete': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'tasks:move': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'task:status': (payload: TaskStatus, ack?: Ack<TaskAccepted>) => void;
  'task:move': (payload: TaskMove, ack?: Ack<TaskAccepted>) => void;
  'task:reorder': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'task:bulk_create': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'task:bulk_update': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'task:bulk_delete': (payload: TaskUpdate | Bulk, ack?: Ack<TaskAccepted | BulkAnswer>) => void;
  'task:complete': (payload: TaskUpdate, ack?: Ack<TaskAccepted>) => void;
  'task:archive': (payload: TaskUpdate, ack?: Ack<TaskAccepted>) => void;
  'task:unarchive': (payload: TaskUpdate, ack?: Ack<TaskAccepted>) => void;
  'task:assign': (payload: TaskUpdate, ack?: Ack<TaskAccepted>) => void;
  'task:unassign': (payload: TaskUpdate, ack?: Ack<TaskAccepted>) => void;
  'sprint:start': (payload: Id | SprintUpdate, ack?: Ack<SprintAccepted>) => void;
  'sprint:complete': (payload: Id | SprintComplete, ack?: Ack<SprintAccepted>) => void;
  'member:add': (payload: MemberAdd, ack?: Ack<MemberAccepted>) => void;
  'member:role': (payload: MemberRole, ack?: Ack<MemberAccepted>) => void;
  'member:remove': (payload: MemberRemove, ack?: Ack<DeletedMemberAccepted>) => void;
  'project:create': (payload: ProjectCreate, ack?: Ack<ProjectAccepted>) => void;
  'task:create': (payload: TaskCreate, ack?: Ack<TaskAccepted>) => void;
  'epic:create': (payload: EpicCreate, ack?: Ack<EpicAccepted>) => void;
  'sprint:create': (payload: SprintCreate, ack?: Ack<SprintAccepted>) => void;
  'comment:create': (payload: CommentCreate, ack?: Ack<CommentAccepted>) => void;
  'project:update': (payload: ProjectUpdate, ack?: Ack<ProjectAccepted>) => void;
  'task:update': (payload: TaskUpdate, ack?: Ack<TaskAccepted>) => void;
  'epic:update': (payload: EpicUpdate, ack?: Ack<EpicAccepted>) => void;
  'sprint:update': (payload: SprintUpdate, ack?: Ack<SprintAccepted>) => void;
  'comment:update': (payload: CommentUpdate, ack?: Ack<CommentAccepted>) => void;
  'project:delete': (payload: Id | ProjectDelete, ack?: Ack<DeletedProjectAccepted>) => void;
  'task:delete': (payload: Id | TaskRef, ack?: Ack<DeletedTaskAccepted>) => void;
  'epic:delete': (payload: Id | EpicRef, ack?: Ack<DeletedEpicAccepted>) => void;
  'sprint:delete': (payload: Id | SprintRef, ack?: Ack<DeletedSprintAccepted>) => void;
  'comment:delete': (payload: Id | CommentRef, ack?: Ack<DeletedCommentAccepted>) => void;
  'member:list': (payload: Id | MemberList, ack?: Ack<MemberPage>) => void;
  'project:list': (payload: ListedProjects, ack?: Ack<ProjectPage>) => void;
  'task:list': (payload: Id | TaskList, ack?: Ack<TaskPage>) => void;
  'epic:list': (payload: Id | PlanList, ack?: Ack<EpicPage>) => void;
  'sprint:list': (payload: Id | PlanList, ack?: Ack<SprintPage>) => void;
  'comment:list': (payload: Id | CommentList, ack?: Ack<CommentPage>) => void;
  'project:restore': (payload: Id | ProjectDelete, ack?: Ack<ProjectAccepted>) => void;
  'task:restore': (payload: Id | TaskRef, ack?: Ack<TaskAccepted>) => void;
  'epic:restore': (payload: Id | EpicRef, ack?: Ack<EpicAccepted>) => void;
  'sprint:restore': (payload: Id | SprintRef, ack?: Ack<SprintAccepted>) => void;
  'comment:restore': (payload: Id | CommentRef, ack?: Ack<CommentAccepted>) => void;
  'task:toggle': (payload: Id | TaskToggle, ack?: Ack<TaskAccepted>) => void;
  'epic:toggle': (payload: Id | EpicToggle, ack?: Ack<EpicAccepted>) => void;
  'sprint:toggle': (payload: Id | SprintToggle, ack?: Ack<SprintAccepted>) => void;
  'comment:toggle': (payload: Id | CommentToggle, ack?: Ack<CommentAccepted>) => void;
  'typing': (payload: Typing, ack?: Ack<Done>) => void;
  'typing:start': (payload: Typing, ack?: Ack<Done>) => void;
  'typing:stop': (payload: Typing, ack?: Ack<Done>) => void;
  'task:editing': (payload: Editing, ack?: Ack<Done>) => void;
  'task:editing:start': (payload: Editing, ack?: Ack<Done>) => void;
  'task:editing:stop': (payload: Editing, ack?: Ack<Done>) => void;
  'task:edit:start': (payload: Editing, ack?: Ack<Done>) => void;
  'task:edit:stop': (payload: Editing, ack?: Ack<Done>) => void;
  'presence:update': (payload: PresenceUpdate, ack?: Ack<Done>) => void;
}

/** An answer: what was asked for, or why not. `ok` tells which. */
export type Answer<T> = T | Refused;

/** How the answer to a message is heard. */
export type Ack<T> = (answer: Answer<T>) => void;

/** What an event that clients may say carries. */
export type PayloadOf<Name extends keyof ClientToServerEvents> = Parameters<ClientToServerEvents[Name]>[0];

/** How it is answered. */
export type AnswerOf<Name extends keyof ClientToServerEvents> = Parameters<
  NonNullable<Parameters<ClientToServerEvents[Name]>[1]>
>[0];

/** The same events with an ack that must be there: so `socket.emitWithAck` knows what the answer is. */
export type Acked<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Arguments) => void
    ? (...args: Required<Arguments>) => void
    : never;
};

/** How outgoing events are spelled: the server's `--event-style`, or the connection's `auth.eventStyle`. */
export type EventStyle = 'colon' | 'dash' | 'snake' | 'camel';

/** A name in another spelling: `Spelled<'task:status_changed', 'camel'>` is `'taskStatusChanged'`. */
export type Spelled<Name extends string, Style extends EventStyle> = Style extends 'colon'
  ? Name
  : Name extends `${infer Before}:${infer After}`
    ? Joined<Spelled<Before, Style>, Spelled<After, Style>, Style>
    : Name extends `${infer Before}_${infer After}`
      ? Joined<Before, Spelled<After, Style>, Style>
      : Name;

type Joined<Before extends string, After extends string, Style extends EventStyle> = Style extends 'dash'
  ? `${Before}-${After}`
  : Style extends 'snake'
    ? `${Before}_${After}`
    : `${Before}${Capitalize<After>}`;

/** An event map in another spelling: `Styled<ServerToClientEvents, 'dash'>`. */
export type Styled<Events, Style extends EventStyle> = {
  [Name in keyof Events as Name extends string ? Spelled<Name, Style> : Name]: Events[Name];
};

/** The connection cannot see a project any more, and has left its room. */
export interface AccessRevoked {
  /** The project. */
  projectId: Id;
  /** Why. */
  reason: RevokedReason;
  /** Its room. */
  room: string;
  /** Of the event by which somebody was removed, if it was one. */
  seq?: number;
}

/** The connection's token expires soon. */
export interface AuthExpiring {
  /** When. */
  expiresAt: string;
  /** How many milliseconds are left. */
  expiresInMs: number;
}

/** Several commands in one message: `tasks:update`, `task:bulk_update`, `tasks:reorder` */
export interface Bulk {
  /** The project; without it the one that the connection has joined. */
  projectId?: Id;
  /** Their ids, to each of which the rest of the message applies; of a reorder, their order. */
  taskIds?: Id[];
  /** An object for each. */
  tasks?: unknown[];
  /** Any field. */
  [field: string]: unknown;
}

/** The answer to a message with several commands. */
export interface BulkAnswer {
  /** Always. */
  ok: true;
  /** What became of each, in their order. */
  results: unknown[];
  /** The same. */
  success: true;
}

/** An event of a channel, whatever its type. */
export interface ChannelEvent {
  /** Who did it. */
  actor: string;
  /** The channel that it is about. */
  channel: string;
  /** What its publisher said, as it was sent. */
  data: unknown;
  /**
   * What its publisher said of it beside the data, if anything: `id`, `timestamp`, `version`, `source`,
   * `correlationId`. Nobody vouches for it.
   */
  envelope?: Envelope;
  /** Its own id, a `UUIDv7`. */
  id: string;
  /** 1, 2, 3…: its place in the channel. */
  seq: number;
  /** When it was committed. */
  timestamp: string;
  /** What happened: as its publisher named it, or the name under which a project's event is heard. */
  type: string;
}

/**
 * The name of a channel: `project:<id>`, `user:<id>`, `session:<id>`, `agent:<id>`, `workflow:<id>`, `agent:*`,
 * `workflow:*`, or any other without spaces, commas and `*`.
 */
export type ChannelName = string;

/** Not everything that a client missed of a channel can be had: it goes on with what is kept. */
export interface ChannelReset {
  /** The channel. */
  channel: string;
  /** Why, for a person. */
  reason: string;
  /** Always. */
  reset: true;
  /** Events after this one follow. */
  seq: number;
}

/** The connection may not hear a channel any more. */
export interface ChannelRevoked {
  /** The channel. */
  channel: string;
  /** Why. */
  reason: RevokedReason;
  /** Of the event by which that is so, if it was one. */
  seq?: number;
}

/** A channel, or several. */
export type Channels = ChannelName | ChannelName[];

/** A comment. Clients may add any field. */
export interface Comment {
  /** The same. */
  commentId: Id;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** Its id. */
  id: Id;
  /** The comment that it answers. */
  parentId?: Id | null;
  /** The project. */
  projectId: Id;
  /** The task that it belongs to. */
  taskId?: Id | null;
  /** What it says. */
  text?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface CommentAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: Comment;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** `comment:create` */
export interface CommentCreate {
  /** Its id; a `UUIDv7` if it is missing. */
  id?: Id;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The comment that it answers. */
  parentId?: Id | null;
  /** The project. */
  projectId: Id;
  /** The task that it belongs to. */
  taskId?: Id | null;
  /** What it says. */
  text?: string;
  /** What it is called. */
  title?: Title;
  /** Any field. */
  [field: string]: unknown;
}

/** A comment was deleted. */
export interface CommentDeleted {
  /** Its id. */
  commentId: Id;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** The task that it belonged to. */
  taskId?: Id;
  /** One more than before. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
export interface CommentEvent {
  /** The same. */
  commentId: Id;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** Its id. */
  id: Id;
  /** The comment that it answers. */
  parentId?: Id | null;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** The task that it belongs to. */
  taskId?: Id | null;
  /** What it says. */
  text?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** `comment:list`; a bare id is that of a task. */
export interface CommentList {
  /** The `nextCursor` of the page before; the first page without it. */
  cursor?: string;
  /** Only those of this epic. */
  epicId?: Id;
  /** Most items: 100, or up to 500. */
  limit?: number;
  /** Only those below this one. */
  parentId?: Id;
  /** The project. */
  projectId?: Id;
  /** Only what has this text in its title or description. */
  q?: string;
  /** Only those of this sprint. */
  sprintId?: Id;
  /** Only those with this status. */
  status?: string;
  /** Only those of this task. */
  taskId?: Id;
}

/**
 * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
 * page.
 */
export interface CommentListed {
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Comment[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** A page of a list. */
export interface CommentPage {
  /** After it. */
  cursor?: string;
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Comment[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** Always. */
  ok: true;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Of the project's last event that is in it; not in a list of projects. */
  seq?: number;
  /** The same. */
  success: true;
}

/** `comment:delete`, `comment:restore` */
export interface CommentRef {
  /** The comment. */
  commentId: Id;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
}

/** `comment:toggle` */
export interface CommentToggle {
  /** The comment. */
  commentId: Id;
  /** What it is to be, instead of the opposite. */
  completed?: boolean;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** The field; without it, the one that says whether it is done, or else `completed`. */
  field?: string;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
}

/** `comment:update` */
export interface CommentUpdate {
  /** The comment. */
  commentId: Id;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The comment that it answers. */
  parentId?: Id | null;
  /** The project. */
  projectId?: Id;
  /** The task that it belongs to. */
  taskId?: Id | null;
  /** What it says. */
  text?: string;
  /** What it is called. */
  title?: string;
  /** Any field. */
  [field: string]: unknown;
}

/** Clients of which all of this holds. */
export interface Condition {
  /** Of a type, or of one of several, as the client says in its handshake. */
  clientType?: OneOrMore;
  /** In a session. */
  sessionId?: Id;
  /** Subscribed to a channel, or to one of several. */
  subscribed?: OneOrMore;
  /** Of a user. */
  userId?: Id;
  /** Of a version, as the client says in its handshake: after <, <=, =, >= or >, such as `<2.0` or `>=1.2 <2`. */
  version?: string;
}

/** Connections. */
export interface ConnectionMetrics {
  /** Now. */
  active: number;
  /** Clients that were refused since the start. */
  failed: number;
  /** Since the start. */
  total: number;
}

/** An entity that has been deleted, as it was. */
export interface DeletedComment {
  /** The same. */
  commentId: Id;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** Its id. */
  id: Id;
  /** The comment that it answers. */
  parentId?: Id | null;
  /** The project. */
  projectId: Id;
  /** The task that it belongs to. */
  taskId?: Id | null;
  /** What it says. */
  text?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface DeletedCommentAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: DeletedComment;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** An entity that has been deleted, as it was. */
export interface DeletedEpic {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** The same. */
  epicId: Id;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** How far it is: any text. */
  status?: string;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface DeletedEpicAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: DeletedEpic;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** An entity that has been deleted, as it was. */
export interface DeletedMember {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** Who, as tokens say it. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** As what. */
  role: Role;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** The same. */
  userId: Id;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface DeletedMemberAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: DeletedMember;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** An entity that has been deleted, as it was. */
export interface DeletedProject {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface DeletedProjectAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: DeletedProject;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** An entity that has been deleted, as it was. */
export interface DeletedSprint {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** When it ends. */
  endDate?: string | null;
  /** What it is to reach. */
  goal?: string | null;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** The same. */
  sprintId: Id;
  /** When it begins. */
  startDate?: string | null;
  /** `active` after its start, `completed` after its end; otherwise any text. */
  status?: string;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface DeletedSprintAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: DeletedSprint;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** An entity that has been deleted, as it was. */
export interface DeletedTask {
  /** Whose it is. */
  assignee?: string | null;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** Its id. */
  id: Id;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId: Id;
  /** Its place: sort by it as text, by code units. */
  rank: string;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** The same. */
  taskId: Id;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface DeletedTaskAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: DeletedTask;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** What is known of a message on `broadcast` or `client:<id>`. */
export interface DirectAbout {
  /** Who sent it. */
  actor: string;
  /** `broadcast`, or `client:<id>`. */
  channel: string;
  /** What ties it to what it answers. */
  correlationId?: string;
  /** Its own id, a `UUIDv7`. */
  id: string;
  /** When it was sent. */
  timestamp: string;
}

/** Something that is no change succeeded. */
export interface Done {
  /** Always. */
  ok: true;
  /** The same. */
  success: true;
}

/** `task:editing`, and whether it has begun or ended by `task:editing:start` and `task:editing:stop`. */
export interface Editing {
  /** Whether somebody is. */
  isEditing?: boolean;
  /** The project; may be missing if the connection has joined one only. */
  projectId?: Id;
  /** The task. */
  taskId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** Somebody is editing a task, or has stopped. It is not logged. */
export interface EditingTold {
  /** A public id of their connection. */
  connectionId: string;
  /** Whether they are. */
  isEditing?: boolean;
  /** The project. */
  projectId: Id;
  /** The task. */
  taskId?: Id;
  /** Who. */
  userId: string;
  /** Any field. */
  [field: string]: unknown;
}

/** Any entity. */
export type Entity = Task | Epic | Sprint | Member | Comment | Project | OtherEntity;

/** What a publisher says of an event beside its data. */
export interface Envelope {
  /** What it belongs to. */
  correlationId?: unknown;
  /** The sender's own id. */
  id?: unknown;
  /** Where it comes from. */
  source?: string;
  /** When it happened, in milliseconds. */
  timestamp?: number;
  /** Of the format. */
  version?: unknown;
}

/** An epic. Clients may add any field. */
export interface Epic {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** The same. */
  epicId: Id;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** How far it is: any text. */
  status?: string;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface EpicAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: Epic;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** `epic:create` */
export interface EpicCreate {
  /** What else there is to say. */
  description?: string | null;
  /** Its id; a `UUIDv7` if it is missing. */
  id?: Id;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId: Id;
  /** How far it is: any text. */
  status?: string;
  /** What it is called. */
  title?: Title;
  /** Any field. */
  [field: string]: unknown;
}

/** An epic was deleted. Its tasks follow, each as `task:updated`. */
export interface EpicDeleted {
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** Its id. */
  epicId: Id;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** One more than before. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
export interface EpicEvent {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** The same. */
  epicId: Id;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** How far it is: any text. */
  status?: string;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/**
 * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
 * page.
 */
export interface EpicListed {
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Epic[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** A page of a list. */
export interface EpicPage {
  /** After it. */
  cursor?: string;
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Epic[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** Always. */
  ok: true;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Of the project's last event that is in it; not in a list of projects. */
  seq?: number;
  /** The same. */
  success: true;
}

/** `epic:delete`, `epic:restore` */
export interface EpicRef {
  /** The epic. */
  epicId: Id;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
}

/** `epic:toggle` */
export interface EpicToggle {
  /** What it is to be, instead of the opposite. */
  completed?: boolean;
  /** The epic. */
  epicId: Id;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** The field; without it, the one that says whether it is done, or else `completed`. */
  field?: string;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
}

/** `epic:update` */
export interface EpicUpdate {
  /** What else there is to say. */
  description?: string | null;
  /** The epic. */
  epicId: Id;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** How far it is: any text. */
  status?: string;
  /** What it is called. */
  title?: string;
  /** Any field. */
  [field: string]: unknown;
}

/** Why something was refused. */
export type ErrorCode = 'unknown_event' | 'validation_failed' | 'payload_too_large' | 'unauthenticated' | 'forbidden' | 'not_found' | 'gone' | 'conflict' | 'precondition_failed' | 'idempotency_key_reused' | 'method_not_allowed' | 'unsupported_media_type' | 'rate_limited' | 'unavailable' | 'internal';

/** A message that was sent without an ack callback was refused. */
export interface ErrorTold {
  /** What programs act on. */
  code: ErrorCode;
  /** On a conflict: the entity now. */
  current?: Entity;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** A sentence for a person. */
  error: string;
  /** The message's event. */
  event: string;
  /** The field that is to blame, if one is. */
  field?: string;
  /** The same as `error`: pages look for it where an `Error` has its message. */
  message: string;
  /** Always. */
  ok: false;
  /** After how many milliseconds the same may succeed. */
  retryAfterMs?: number;
  /** Whether the same may succeed later. */
  retryable: boolean;
  /** The same. */
  success: false;
}

/** The answer to a message that carried an `id`. */
export interface FlatAck {
  /** The id. */
  id: unknown;
  /** Whether it was accepted. */
  ok: boolean;
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'ack';
  /** Any field. */
  [field: string]: unknown;
}

/** A burst of messages in one, for those who asked for it by `?batch=100`. */
export interface FlatBatch {
  /** The same. */
  data: FlatMessages;
  /** The messages, in their order. */
  messages: FlatServerMessage[];
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'batchUpdate';
}

/** What a `heartbeat` says. */
export interface FlatBeat {
  /** When. */
  timestamp: string;
}

/** What clients say over a plain WebSocket. */
export type FlatClientMessage = FlatPing | FlatSubscribe | FlatUnsubscribe | FlatHandshake | FlatCommand;

/** A command on a project, by the name of its event: or something for the others of the sender's session. */
export interface FlatCommand {
  /** What the event would carry. */
  data?: unknown;
  /** To be acked with. */
  id?: unknown;
  /** `task:update`, or whatever the server does not know. */
  type: string;
  /** Any field. */
  [field: string]: unknown;
}

/** The connection is there. */
export interface FlatConnection {
  /** The channels to which the address has subscribed it, if any. */
  channels?: string[];
  /** A public id of the connection. */
  clientId: string;
  /** Where the client stands in them. */
  cursor?: string;
  /** Always `connected`. */
  status: string;
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'connection';
}

/** A message was refused, or was none. */
export interface FlatError {
  /** A sentence for a person. */
  error: string;
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'error';
  /** Any field. */
  [field: string]: unknown;
}

/** An event of a channel, or a signal. Its data stands at the top level, too, where nothing else has its name. */
export interface FlatEvent {
  /** The channel that it is about. */
  channel?: string;
  /** After it. A signal has none. */
  cursor?: string;
  /** What its publisher said, as it was sent. */
  data?: unknown;
  /** 1, 2, 3…: its place in the channel. A signal has none. */
  seq?: number;
  /** Of a channel `session:<id>`: the id. */
  sessionId?: string;
  /** When. */
  timestamp: string;
  /** What happened: `ai_progress`, `task:updated`. */
  type: string;
  /** Any field. */
  [field: string]: unknown;
}

/** To say who one is. */
export interface FlatHandshake {
  /** The API key, and what else a client says of itself. */
  data: Handshake;
  /** What it is. */
  type: 'handshake';
}

/** A sign of life every 30 s, for those who ask for it by `?heartbeat=true`, or for all by `WEBSOCKET_HEARTBEAT`. */
export interface FlatHeartbeat {
  /** The same. */
  data: FlatBeat;
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'heartbeat';
  /** Any field. */
  [field: string]: unknown;
}

/** What a `batchUpdate` says. */
export interface FlatMessages {
  /** The messages, in their order. */
  messages: FlatServerMessage[];
}

/** Whether the server is there. */
export interface FlatPing {
  /** What it is. */
  type: 'ping';
}

/** The answer to a `ping`. */
export interface FlatPong {
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'pong';
}

/** What the server says over a plain WebSocket. */
export type FlatServerMessage = FlatConnection | FlatPong | FlatWelcome | FlatSubscribed | FlatUnsubscribed | FlatHeartbeat | FlatBatch | FlatError | FlatAck | FlatEvent;

/** To hear of a session, of a channel, or of several. */
export interface FlatSubscribe {
  /** Of a channel. */
  channel?: string;
  /** Of several. */
  channels?: string[];
  /** What came after it is heard again. */
  cursor?: string;
  /** Comes back with the answer. */
  id?: unknown;
  /** Of `session:<id>`. */
  sessionId?: string;
  /** What it is. */
  type: 'subscribe';
  /** Only events of these types. */
  types?: string[];
}

/** The answer to a `subscribe`. */
export interface FlatSubscribed {
  /** The session, if one was named. */
  sessionId?: string;
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'subscribed';
  /** Any field. */
  [field: string]: unknown;
}

/** To hear of them no longer. */
export interface FlatUnsubscribe {
  /** Of a channel. */
  channel?: string;
  /** Of several. */
  channels?: string[];
  /** Comes back with the answer. */
  id?: unknown;
  /** Of `session:<id>`. */
  sessionId?: string;
  /** What it is. */
  type: 'unsubscribe';
}

/** The answer to an `unsubscribe`. */
export interface FlatUnsubscribed {
  /** The session, if one was named. */
  sessionId?: string;
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'unsubscribed';
  /** Any field. */
  [field: string]: unknown;
}

/** The answer to a `handshake` whose API key is good. */
export interface FlatWelcome {
  /** When. */
  timestamp: string;
  /** What it is. */
  type: 'welcome';
  /** Any field. */
  [field: string]: unknown;
}

/** What a client says of itself. */
export interface Handshake {
  /** Its API key. */
  apiKey?: string;
  /** Or a token. */
  token?: string;
  /** Any field. */
  [field: string]: unknown;
}

/**
 * What a client said, or chose, as an id. It comes back in the JSON type in which it was first seen; `7` and `"7"` are
 * the same id.
 */
export type Id = string | number;

/** `join:project` */
export interface Join {
  /** Whether the answer should carry the first events after `since`. */
  events?: boolean;
  /** Whether the client is told who comes and goes: `presence:join`, `presence:update`, `presence:leave`. */
  presence?: boolean;
  /** The project. */
  projectId: Id;
  /** Events after this come before any others. */
  since?: Since;
  /** Whether the answer should carry the state. */
  snapshot?: boolean;
}

/** The answer to `join:project`. */
export interface JoinAnswer {
  /** After it. */
  cursor: string;
  /** The first events after `since`, if they were asked for. */
  events?: ListedEvent[];
  /** Always. */
  ok: true;
  /** Everybody who is present, the client that asks included. */
  presence: Person[];
  /** How many are there; more than are listed, if there are many. */
  presenceCount: number;
  /** The project. */
  projectId: Id;
  /** Why not, for a person. */
  reason?: string;
  /** What happened after `since` cannot be had: go on from the snapshot. */
  reset?: true;
  /** The room that was joined, `project:<id>`. */
  room: string;
  /** Of the project's last event. */
  seq: number;
  /** The state, if it was asked for, or if `reset` is there. */
  snapshot?: ProjectState;
  /** The same. */
  success: true;
}

/** The answer to `leave:project`. */
export interface LeaveAnswer {
  /** It was not joined. */
  noop?: true;
  /** Always. */
  ok: true;
  /** The project. */
  projectId: Id;
  /** The room that was left. */
  room: string;
  /** The same. */
  success: true;
}

/** An event of the log in a list. */
export interface ListedEvent {
  /** The name under which it is delivered. */
  event: string;
  /** What is delivered. */
  payload: unknown;
  /** 1, 2, 3…: its place in the project. */
  seq: number;
}

/** `project:list` */
export interface ListedProjects {
  /** The `nextCursor` of the page before; the first page without it. */
  cursor?: string;
  /** Most items: 100, or up to 500. */
  limit?: number;
  /** Only what has this text in its title or description. */
  q?: string;
}

/** A refusal. */
export interface LoggedError {
  /** As in an answer. */
  code?: string;
  /** Of which message. */
  event: string;
  /** For a person. */
  message: string;
  /** When. */
  timestamp: string;
}

/** Somebody who belongs to a project. Clients may add any field. */
export interface Member {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** Who, as tokens say it. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** As what. */
  role: Role;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** The same. */
  userId: Id;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface MemberAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: Member;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** `member:add` */
export interface MemberAdd {
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId: Id;
  /** As what; `member` if it is missing. */
  role?: Role;
  /** Who, as tokens say it. */
  userId: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
export interface MemberEvent {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** Who, as tokens say it. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** As what. */
  role: Role;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** The same. */
  userId: Id;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** `member:list` */
export interface MemberList {
  /** The `nextCursor` of the page before; the first page without it. */
  cursor?: string;
  /** Most items: 100, or up to 500. */
  limit?: number;
  /** The project. */
  projectId?: Id;
  /** Only what has this text in its title or description. */
  q?: string;
}

/**
 * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
 * page.
 */
export interface MemberListed {
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Member[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** A page of a list. */
export interface MemberPage {
  /** After it. */
  cursor?: string;
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Member[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** Always. */
  ok: true;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Of the project's last event that is in it; not in a list of projects. */
  seq?: number;
  /** The same. */
  success: true;
}

/** `member:remove` */
export interface MemberRemove {
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** Who. */
  userId: Id;
}

/** Somebody was removed from a project. */
export interface MemberRemoved {
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** Who. */
  userId: Id;
  /** One more than before. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** `member:role` */
export interface MemberRole {
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** As what. */
  role: Role;
  /** Who. */
  userId: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** Messages since the start. */
export interface MessageMetrics {
  /** From clients, and refused. */
  errors: number;
  /** From clients. */
  received: number;
  /** Events, signals, notices and answers to clients. */
  sent: number;
}

/** What an operator or a backend has to say. It is not logged. */
export interface Notification {
  /** When it was sent. */
  createdAt: string;
  /** Its id. */
  id: string;
  /** How important it is. */
  level?: string;
  /** What it says. */
  message?: string;
  /** What it is about. */
  title?: string;
  /** Any field. */
  [field: string]: unknown;
}

/** A text, or a list of 1 to 256. */
export type OneOrMore = string | string[];

/** An entity of a kind that the server's configuration declares. Clients may add any field. */
export interface OtherEntity {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** Its id, which stands under the name of its kind as well: `subtaskId`. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** The task that it belongs to. */
  taskId?: Id | null;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** Somebody who is present in a project, and what they say of themselves. */
export interface Person {
  /** A public id of the connection with which the presence began. */
  connectionId: string;
  /** When that was. */
  joinedAt: string;
  /** Who. */
  userId: string;
  /** Any field. */
  [field: string]: unknown;
}

/** `epic:list`, `sprint:list` */
export interface PlanList {
  /** The `nextCursor` of the page before; the first page without it. */
  cursor?: string;
  /** Most items: 100, or up to 500. */
  limit?: number;
  /** The project. */
  projectId?: Id;
  /** Only what has this text in its title or description. */
  q?: string;
  /** Only those with this status. */
  status?: string;
}

/** Somebody's last connection left a project. */
export interface PresenceLeft {
  /** A public id of the connection with which the presence began. */
  connectionId: string;
  /** The project. */
  projectId: Id;
  /** Who. */
  userId: string;
}

/** Somebody came into a project, or says something else of themselves. */
export interface PresenceTold {
  /** A public id of the connection with which the presence began. */
  connectionId: string;
  /** When that was. */
  joinedAt: string;
  /** The project. */
  projectId: Id;
  /** Who. */
  userId: string;
  /** Any field. */
  [field: string]: unknown;
}

/** `presence:update`: what somebody says of themselves, in place of what they said before. */
export interface PresenceUpdate {
  /** The project; may be missing if the connection has joined one only. */
  projectId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** Why a request was refused: problem details as in RFC 9457, and what an ack would say. */
export interface Problem {
  /** What programs act on. */
  code: ErrorCode;
  /** On a conflict: the entity now. */
  current?: Entity;
  /** A sentence for a person. */
  detail: string;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** The field that is to blame, if one is. */
  field?: string;
  /** The request's id, which the server's log names, too. */
  instance?: string;
  /** After how many milliseconds the same may succeed. */
  retryAfterMs?: number;
  /** Whether the same may succeed later. */
  retryable: boolean;
  /** The HTTP status. */
  status: number;
  /** What it is in general. */
  title: string;
  /** Which problem: `urn:boardcast:error:` and the code. */
  type: string;
}

/** A project. Clients may add any field. */
export interface Project {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface ProjectAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: Project;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** `project:create` */
export interface ProjectCreate {
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** Its id; made by the server if it is missing. With authentication only some may choose it. */
  projectId?: Id;
  /** What it is called. */
  title?: Title;
  /** Any field. */
  [field: string]: unknown;
}

/** `project:delete` */
export interface ProjectDelete {
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId: Id;
}

/** A project was deleted. */
export interface ProjectDeleted {
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** One more than before. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
export interface ProjectEvent {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** `join:projects`, `leave:projects`: the list of projects, or these projects. */
export interface ProjectList {
  /** Projects, in place of the list. */
  projectIds?: Id[];
  /** Events after this come before any others. */
  since?: Since;
  /** Only events of these types. */
  types?: string[];
}

/**
 * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
 * page.
 */
export interface ProjectListed {
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Project[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** A page of a list. */
export interface ProjectPage {
  /** After it. */
  cursor?: string;
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Project[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** Always. */
  ok: true;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Of the project's last event that is in it; not in a list of projects. */
  seq?: number;
  /** The same. */
  success: true;
}

/** `leave:project` */
export interface ProjectRef {
  /** The project. */
  projectId: Id;
}

/** What a client missed of a project cannot be had: this is its state, from which events follow. */
export interface ProjectReset {
  /** After it. */
  cursor: string;
  /** The project. */
  projectId: Id;
  /** Why, for a person. */
  reason: string;
  /** Always. */
  reset: true;
  /** Its room. */
  room: string;
  /** Of the last event that is in the state. */
  seq: number;
  /** The state. */
  snapshot: ProjectState;
}

/** A project's state. */
export interface ProjectState {
  /**
   * The newest comments, from the oldest of them: up to 20 of each task or other entity to which they belong, up to
   * 1,000 together.
   */
  comments: Comment[];
  /** After it. */
  cursor: string;
  /** Its epics. */
  epics: Epic[];
  /** Who belongs to it. */
  members: Member[];
  /** How many there are besides those that are listed, by the names of the lists: `{"comments": 12}`. Absent if all are. */
  more?: Record<string, unknown>;
  /**
   * There is more of a large state: ask `project:snapshot` for the next page, with this as `page`, until it is absent. All
   * pages have the same `seq`. Once they are put together, the events after it lead to the state now.
   */
  nextPage?: string;
  /** The project; null if it is deleted or unknown. */
  project: Project | null;
  /** The project's id. */
  projectId: Id;
  /** Of the last event that is in it. */
  seq: number;
  /** Its sprints. */
  sprints: Sprint[];
  /** Its tasks, by rank. */
  tasks: Task[];
  /** Any field. */
  [field: string]: unknown;
}

/** `project:update` */
export interface ProjectUpdate {
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId: Id;
  /** What it is called. */
  title?: string;
  /** Any field. */
  [field: string]: unknown;
}

/** Something that is to be told on a channel. */
export interface Publish {
  /** The channel. */
  channel: string;
  /** On `broadcast` and `client:<id>`: what ties it to what it answers, passed on as it is. */
  correlationId?: string;
  /** What there is to say: an empty object if it is missing. */
  data?: unknown;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** What happened. */
  type: string;
  /** On `broadcast`: which of the clients are meant. */
  where?: Condition;
}

/** A publication is in the log. */
export interface Published {
  /** The channel. */
  channel: string;
  /** After it. */
  cursor: string;
  /** It was there before, because of the idempotency key. */
  duplicate?: true;
  /** Its own id, a `UUIDv7`. */
  id: string;
  /** Always. */
  ok: true;
  /** 1, 2, 3…: its place in the channel. */
  seq: number;
  /** The same. */
  success: true;
}

/** `auth:refresh` */
export interface Refresh {
  /** A new token of the same user. */
  token: string;
}

/** The answer to `auth:refresh`. */
export interface RefreshAnswer {
  /** When the new token expires; null if it never does. */
  expiresAt: string | null;
  /** Always. */
  ok: true;
  /** The same. */
  success: true;
  /** Who the user is. */
  userId: string;
}

/** Something was refused, and had no effect. */
export interface Refused {
  /** What programs act on. */
  code: ErrorCode;
  /** On a conflict: the entity now. */
  current?: Entity;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** A sentence for a person. */
  error: string;
  /** The field that is to blame, if one is. */
  field?: string;
  /** Always. */
  ok: false;
  /** After how many milliseconds the same may succeed. */
  retryAfterMs?: number;
  /** Whether the same may succeed later. */
  retryable: boolean;
  /** The same. */
  success: false;
}

/** What happened in a channel after a point. */
export type Replay = Replayed | ReplayReset;

/** A project's state, in place of events that cannot be had. */
export interface ReplayReset {
  /** The channel. */
  channel: string;
  /** After it. */
  cursor: string;
  /** Always. */
  ok: true;
  /** The project. */
  projectId: Id;
  /** Why, for a person. */
  reason: string;
  /** Always. */
  reset: true;
  /** Of the last event that is in the state. */
  seq: number;
  /** The state. */
  snapshot: ProjectState;
  /** The same. */
  success: true;
}

/** A channel's events after a point. */
export interface Replayed {
  /** The channel. */
  channel: string;
  /** After it. */
  cursor: string;
  /** The events. */
  events: ChannelEvent[];
  /** Whether there are more. */
  hasMore: boolean;
  /** Always. */
  ok: true;
  /** The project whose channel it is, if it is one's. */
  projectId?: Id;
  /** Why not, for a person. */
  reason?: string;
  /** Not everything after the point can be had: these are the first that are kept. */
  reset?: true;
  /** Of the last of them, or of the point itself. */
  seq: number;
  /** The same. */
  success: true;
}

/** The state, in place of events that cannot be had. */
export interface ResetAnswer {
  /** After it. */
  cursor: string;
  /** Always. */
  ok: true;
  /** The project. */
  projectId: Id;
  /** Why, for a person. */
  reason: string;
  /** Always. */
  reset: true;
  /** Of the last event that is in the state. */
  seq: number;
  /** The state. */
  snapshot: ProjectState;
  /** The same. */
  success: true;
}

/** Why somebody cannot see a project any more. */
export type RevokedReason = 'removed' | 'token' | 'forbidden';

/** A role in a project. Each may do what those before it may. */
export type Role = 'viewer' | 'member' | 'admin' | 'owner';

/** A message on `broadcast` or `client:<id>` was sent. It is not in any log. */
export interface Sent {
  /** The channel. */
  channel: string;
  /** How many more were meant that had no room for it; absent if there is none. */
  missed?: number;
  /** Always. */
  ok: true;
  /** How many connections it has reached, on all instances. */
  reached: number;
  /** The same. */
  success: true;
  /**
   * What has not answered in time, so that more may have been reached: instances, by their ids, or `redis`. Absent
   * if all have.
   */
  unanswered?: string[];
}

/** It is not known what a client missed, nor of which projects: join what you need. */
export interface SessionReset {
  /** Why, for a person. */
  reason: string;
  /** Always. */
  reset: true;
}

/** A point in a history. */
export type Since = string | number;

/** The answer to `project:snapshot`. */
export interface SnapshotAnswer {
  /**
   * The newest comments, from the oldest of them: up to 20 of each task or other entity to which they belong, up to
   * 1,000 together.
   */
  comments: Comment[];
  /** After it. */
  cursor: string;
  /** Its epics. */
  epics: Epic[];
  /** Who belongs to it. */
  members: Member[];
  /** How many there are besides those that are listed, by the names of the lists: `{"comments": 12}`. Absent if all are. */
  more?: Record<string, unknown>;
  /**
   * There is more of a large state: ask `project:snapshot` for the next page, with this as `page`, until it is absent. All
   * pages have the same `seq`. Once they are put together, the events after it lead to the state now.
   */
  nextPage?: string;
  /** Always. */
  ok: true;
  /** The project; null if it is deleted or unknown. */
  project: Project | null;
  /** The project's id. */
  projectId: Id;
  /** Of the last event that is in it. */
  seq: number;
  /** Its sprints. */
  sprints: Sprint[];
  /** The same. */
  success: true;
  /** Its tasks, by rank. */
  tasks: Task[];
  /** Any field. */
  [field: string]: unknown;
}

/** `project:snapshot` */
export interface SnapshotPage {
  /** The `nextPage` of the page before; the first page, or all of a small state, without it. */
  page?: string;
  /** The project. */
  projectId: Id;
}

/** A WebSocket. */
export interface SocketClient {
  /** A public id of the connection. */
  id: string;
  /** Whether it has answered the last ping. */
  isAlive: boolean;
  /** When it sent its last message, or connected. */
  lastActivity: string;
  /** The session that it listens to. */
  sessionId: string | null;
  /** How the connection is, as a `WebSocket`'s `readyState` says it: 0 connecting, 1 open, 2 closing, 3 closed. */
  state: number;
  /** Which program it says it is. */
  type: string | null;
  /** Whose it is. */
  userId: string | null;
  /** Of what version. */
  version: string | null;
}

/** How many WebSockets there are of a type and version. */
export interface SocketClientVersion {
  /** How many. */
  clients: number;
  /** Which program they say they are. */
  type: string | null;
  /** Of what version. */
  version: string | null;
}

/** Figures of the WebSockets of an instance. */
export interface SocketFigures {
  /** How many there are. */
  clients: number;
  /** Whether it takes connections. */
  connected: boolean;
  /** When the last message came or went; null before the first one. */
  lastActivity: string | null;
  /** Messages since the start. */
  messageCount: number;
  /** Seconds since the start. */
  uptime: number;
}

/** Figures of the WebSockets of an instance. */
export interface SocketStats {
  /** Now. */
  activeConnections: number;
  /** Mean of the latest answers, in milliseconds. */
  averageLatency: number;
  /** How many of them there are of each type and version, as they say, the most common first; at most 100. */
  clientVersions: SocketClientVersion[];
  /** Who is connected; for administrators alone, once there is authentication. */
  clients?: SocketClient[];
  /** Messages of clients since the start. */
  messagesReceived: number;
  /** Messages to clients since the start. */
  messagesSent: number;
  /** How many others there are. */
  otherVersions: number;
  /** Connections since the start whose clients said where to go on. */
  reconnects: number;
  /** Since the start. */
  totalConnections: number;
}

/** How the WebSockets of an instance are. */
export interface SocketStatus {
  /** The figures. */
  data: SocketFigures;
  /** Always. */
  success: true;
}

/** A sprint. Clients may add any field. */
export interface Sprint {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it ends. */
  endDate?: string | null;
  /** What it is to reach. */
  goal?: string | null;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** The same. */
  sprintId: Id;
  /** When it begins. */
  startDate?: string | null;
  /** `active` after its start, `completed` after its end; otherwise any text. */
  status?: string;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface SprintAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: Sprint;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** `sprint:complete` */
export interface SprintComplete {
  /** Statuses that are finished besides the usual ones and those of the project. */
  doneStatuses?: string[];
  /** When it ends. */
  endDate?: string | null;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** What it is to reach. */
  goal?: string | null;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /**
   * Where its unfinished tasks go: to no sprint (`backlog`, the default), nowhere (`keep`), to the next one (`next`), or
   * to the sprint with this id.
   */
  moveTo?: Id;
  /** Tasks that go elsewhere. */
  moves?: SprintMove[];
  /** The project. */
  projectId?: Id;
  /** The sprint. */
  sprintId: Id;
  /** When it begins. */
  startDate?: string | null;
  /** `active` after its start, `completed` after its end; otherwise any text. */
  status?: string;
  /** What it is called. */
  title?: string;
  /** Any field. */
  [field: string]: unknown;
}

/** `sprint:create` */
export interface SprintCreate {
  /** When it ends. */
  endDate?: string | null;
  /** What it is to reach. */
  goal?: string | null;
  /** Its id; a `UUIDv7` if it is missing. */
  id?: Id;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId: Id;
  /** When it begins. */
  startDate?: string | null;
  /** `active` after its start, `completed` after its end; otherwise any text. */
  status?: string;
  /** What it is called. */
  title?: Title;
  /** Any field. */
  [field: string]: unknown;
}

/** A sprint was deleted. Its tasks follow, each as `task:updated`. */
export interface SprintDeleted {
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** Its id. */
  sprintId: Id;
  /** One more than before. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
export interface SprintEvent {
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** When it ends. */
  endDate?: string | null;
  /** What it is to reach. */
  goal?: string | null;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** The same. */
  sprintId: Id;
  /** When it begins. */
  startDate?: string | null;
  /** `active` after its start, `completed` after its end; otherwise any text. */
  status?: string;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/**
 * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
 * page.
 */
export interface SprintListed {
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Sprint[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** Where one task of a completed sprint goes. */
export interface SprintMove {
  /** `backlog`, `next`, or the id of a sprint. */
  target: Id;
  /** The task. */
  taskId: Id;
}

/** A page of a list. */
export interface SprintPage {
  /** After it. */
  cursor?: string;
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Sprint[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** Always. */
  ok: true;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Of the project's last event that is in it; not in a list of projects. */
  seq?: number;
  /** The same. */
  success: true;
}

/** `sprint:delete`, `sprint:restore` */
export interface SprintRef {
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** The sprint. */
  sprintId: Id;
}

/** `sprint:toggle` */
export interface SprintToggle {
  /** What it is to be, instead of the opposite. */
  completed?: boolean;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** The field; without it, the one that says whether it is done, or else `completed`. */
  field?: string;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** The sprint. */
  sprintId: Id;
}

/** `sprint:update`, `sprint:start` */
export interface SprintUpdate {
  /** When it ends. */
  endDate?: string | null;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** What it is to reach. */
  goal?: string | null;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** The sprint. */
  sprintId: Id;
  /** When it begins. */
  startDate?: string | null;
  /** `active` after its start, `completed` after its end; otherwise any text. */
  status?: string;
  /** What it is called. */
  title?: string;
  /** Any field. */
  [field: string]: unknown;
}

/** The data of a message: an event of a channel, or a signal, which has only a channel, a type and a message. */
export interface StreamData {
  /** Who did it. */
  actor?: string;
  /** The channel that it is about. */
  channel: string;
  /** Its own id, a `UUIDv7`. */
  id?: string;
  /** What was published, as it was sent; of a project's event, what others hear as its payload. */
  message: unknown;
  /** 1, 2, 3…: its place in the channel. */
  seq?: number;
  /** When it was committed. */
  timestamp?: string;
  /**
   * As its publisher named it, `message` if it has no name, or the name under which a project's event is heard:
   * `task:updated`.
   */
  type: string;
}

/** Event streams. */
export interface StreamMetrics {
  /** The latest refusals. */
  errors: LoggedError[];
  /** Requests for a stream that were refused since the start. */
  failed: number;
  /** Messages since the start, the beginnings of streams included. */
  sent: number;
  /** Streams that are open now. */
  subscribers: number;
  /** Streams since the start. */
  total: number;
}

/** The data of a message named `access_revoked`: a channel may not be heard any more. */
export interface StreamRevoked {
  /** The channel. */
  channel: string;
  /** The project whose channel it is, if it is one's. */
  projectId?: Id;
  /** Why. */
  reason: RevokedReason;
  /** Its room. */
  room?: string;
  /** Of the event by which that is so, if it was one. */
  seq?: number;
}

/** `subscribe`: one channel or several. */
export interface Subscribe {
  /** A channel. */
  channel?: ChannelName;
  /** Channels, in its place. */
  channels?: ChannelName[];
  /** Whether the client is told who comes and goes in them, if they are projects. */
  presence?: boolean;
  /** Events after this come before any others. A seq is understood if there is one channel. */
  since?: Since;
  /** Only events of these types. */
  types?: string[];
}

/** The answer to `subscribe`. */
export interface SubscribeAnswer {
  /** What is heard from now on. */
  channels: Subscribed[];
  /** Always. */
  ok: true;
  /** The same. */
  success: true;
}

/** A channel that is heard from now on. */
export interface Subscribed {
  /** Its name. */
  channel: string;
  /** After it. */
  cursor: string;
  /** On a reset: the project. */
  projectId?: Id;
  /** Why not, for a person. */
  reason?: string;
  /** Not everything after `since` can be had: a project goes on from `snapshot`, other channels from what is kept. */
  reset?: true;
  /** Of its last event. */
  seq: number;
  /** On a reset of a project: its state. */
  snapshot?: ProjectState;
}

/** `project:sync` */
export interface Sync {
  /** Most events of the answer: 200, or up to 500. */
  limit?: number;
  /** The project. */
  projectId: Id;
  /** The point; from the beginning if there is none. */
  since?: Since;
}

/** The answer to `project:sync`. */
export type SyncAnswer = Synced | ResetAnswer;

/** Events after a point. */
export interface Synced {
  /** After it. */
  cursor: string;
  /** The events. */
  events: ListedEvent[];
  /** Whether there are more. */
  hasMore: boolean;
  /** Always. */
  ok: true;
  /** The project. */
  projectId: Id;
  /** Of the last of them, or of the point itself. */
  seq: number;
  /** The same. */
  success: true;
}

/** A task. Clients may add any field. */
export interface Task {
  /** Whose it is. */
  assignee?: string | null;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** Its id. */
  id: Id;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId: Id;
  /** Its place: sort by it as text, by code units. */
  rank: string;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** The same. */
  taskId: Id;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** A command was accepted. */
export interface TaskAccepted {
  /** After it. */
  cursor: string;
  /** The entity now. */
  data: Task;
  /** It is the first answer once more, because of the idempotency key. */
  duplicate?: true;
  /** Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper. */
  ignored?: string[];
  /** It was made against an older version and did not collide. */
  merged?: true;
  /** Nothing had to change. */
  noop?: true;
  /** Always. */
  ok: true;
  /**
   * The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
   * done.
   */
  pending?: number;
  /** Of the command's last event, or of the project's last event if there was none. */
  seq: number;
  /** The same. */
  success: true;
  /** The entity's version now. */
  version: number;
}

/** A task was changed; if its status was, from what to what. */
export interface TaskChanged {
  /** Whose it is. */
  assignee?: string | null;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** Its id. */
  id: Id;
  /** On a change of status: what it is. */
  newStatus?: string | null;
  /** On a change of status: what it was. */
  oldStatus?: string | null;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId: Id;
  /** Its place: sort by it as text, by code units. */
  rank: string;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** The same. */
  taskId: Id;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** `task:create` */
export interface TaskCreate {
  /** Whose it is. */
  assignee?: string | null;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** Its id; a `UUIDv7` if it is missing. */
  id?: Id;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId: Id;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** What it is called. */
  title?: Title;
  /** Any field. */
  [field: string]: unknown;
}

/** A task was deleted. */
export interface TaskDeleted {
  /** The same, where boards have columns with ids. */
  columnId?: Id;
  /** When it was deleted. */
  deletedAt: string;
  /** Who deleted it. */
  deletedBy: string;
  /** The epic to which it belonged. */
  epicId?: Id;
  /** Its id. */
  id: Id;
  /** The project. */
  projectId: Id;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** The sprint in which it was. */
  sprintId?: Id;
  /** The column in which it was. */
  status?: string;
  /** Its id. */
  taskId: Id;
  /** One more than before. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** Something became of an entity: every top-level key that the sender sent, over it the entity now. */
export interface TaskEvent {
  /** Whose it is. */
  assignee?: string | null;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** Its id. */
  id: Id;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId: Id;
  /** Its place: sort by it as text, by code units. */
  rank: string;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** The same. */
  taskId: Id;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** `task:list` */
export interface TaskList {
  /** Only those of this person: by `assignee`, `assigneeId` or `assignedTo`. */
  assignee?: Id;
  /** The `nextCursor` of the page before; the first page without it. */
  cursor?: string;
  /** Only those of this epic. */
  epicId?: Id;
  /** Most items: 100, or up to 500. */
  limit?: number;
  /** The project. */
  projectId?: Id;
  /** Only what has this text in its title or description. */
  q?: string;
  /** Only those in this sprint. */
  sprintId?: Id;
  /** Only those with this status. */
  status?: string;
}

/**
 * A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
 * page.
 */
export interface TaskListed {
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Task[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** `task:move` */
export interface TaskMove {
  /** Directly after this task. */
  afterId?: Id;
  /** Whose it is. */
  assignee?: string | null;
  /** Directly before this task. */
  beforeId?: Id;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** At this index, from 0, among the other tasks of its column and sprint; what is no index is kept as a field. */
  position?: number;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId?: Id;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** The task. */
  taskId: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** A page of a list. */
export interface TaskPage {
  /** After it. */
  cursor?: string;
  /** Keys that were sent and have no effect. */
  ignored?: string[];
  /** What is on it: tasks by rank, all others from the oldest. */
  items: Task[];
  /** The `cursor` of the next page; null on the last one. */
  nextCursor: string | null;
  /** Always. */
  ok: true;
  /** The project; not in a list of projects. */
  projectId?: Id;
  /** Of the project's last event that is in it; not in a list of projects. */
  seq?: number;
  /** The same. */
  success: true;
}

/** `task:delete`, `task:restore` */
export interface TaskRef {
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** The task. */
  taskId: Id;
}

/** `task:status` */
export interface TaskStatus {
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** What the status is to be. */
  status: string;
  /** The task. */
  taskId: Id;
}

/** A task's status was changed. */
export interface TaskStatusChanged {
  /** Whose it is. */
  assignee?: string | null;
  /** When it was made. */
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** Its id. */
  id: Id;
  /** What it is. */
  newStatus: string | null;
  /** What it was. */
  oldStatus: string | null;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId: Id;
  /** Its place: sort by it as text, by code units. */
  rank: string;
  /** 1, 2, 3…: the event's place in the project. */
  seq: number;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** The same. */
  taskId: Id;
  /** What it is called; `name` is kept as `title`. */
  title?: string;
  /** When it was changed last. */
  updatedAt: string;
  /** Who changed it last. */
  updatedBy: string;
  /** 1, 2, 3…: one more with each change. */
  version: number;
  /** Any field. */
  [field: string]: unknown;
}

/** `task:toggle` */
export interface TaskToggle {
  /** What it is to be, instead of the opposite. */
  completed?: boolean;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** The field; without it, the one that says whether it is done, or else `completed`. */
  field?: string;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** The project. */
  projectId?: Id;
  /** The task. */
  taskId: Id;
}

/** `task:update` */
export interface TaskUpdate {
  /** Whose it is. */
  assignee?: string | null;
  /** What else there is to say. */
  description?: string | null;
  /** When it should be done. */
  dueDate?: string | null;
  /** The epic that it belongs to. */
  epicId?: Id | null;
  /** The version that the sender had before its eyes: what somebody else has changed since is not overwritten. */
  expectedVersion?: number;
  /** A command with a key has one effect however often it is sent. */
  idempotencyKey?: string;
  /** How important it is. */
  priority?: string | null;
  /** The project. */
  projectId?: Id;
  /** The sprint that it is in. */
  sprintId?: Id | null;
  /** The column that it is in: any text. */
  status?: string;
  /** How much work it is. */
  storyPoints?: number | null;
  /** The task. */
  taskId: Id;
  /** What it is called. */
  title?: string;
  /** Any field. */
  [field: string]: unknown;
}

/** What something is called. */
export type Title = string | number;

/** `typing`, and whether it has begun or ended by `typing:start` and `typing:stop`. */
export interface Typing {
  /** Whether somebody is. */
  isTyping?: boolean;
  /** The project; may be missing if the connection has joined one only. */
  projectId?: Id;
  /** The task that it is about. */
  taskId?: Id;
  /** Any field. */
  [field: string]: unknown;
}

/** Somebody is typing, or has stopped. It is not logged. */
export interface TypingTold {
  /** A public id of their connection. */
  connectionId: string;
  /** Whether they are. */
  isTyping?: boolean;
  /** The project. */
  projectId: Id;
  /** The task that it is about. */
  taskId?: Id;
  /** Who. */
  userId: string;
  /** Any field. */
  [field: string]: unknown;
}

/** `unsubscribe`: one channel or several. */
export interface Unsubscribe {
  /** A channel. */
  channel?: ChannelName;
  /** Channels, in its place. */
  channels?: ChannelName[];
}

/** The answer to `unsubscribe`. */
export interface UnsubscribeAnswer {
  /** What is not heard any more. */
  channels: string[];
  /** Nothing of it was heard. */
  noop?: true;
  /** Always. */
  ok: true;
  /** The same. */
  success: true;
}

/** What is published on `metrics:websocket`: the figures of all instances together, since their start. */
export interface WebSocketMetrics {
  /** The mean of these. */
  averageLatency: number;
  /** Connections of Socket.IO and plain WebSockets. */
  connections: ConnectionMetrics;
  /** The latest messages that were refused, at most 20, the latest last. */
  errors: LoggedError[];
  /** How many instances these are the figures of. */
  instances: number;
  /** How long the latest answers took, in milliseconds; at most 100, the latest last. */
  latency: number[];
  /** What went over them. */
  messages: MessageMetrics;
  /** Commands that wait for the database. */
  queueSize: number;
  /** Connections whose clients had been connected before, and said where to go on. */
  reconnects: number;
  /** Event streams. */
  sse: StreamMetrics;
  /** Messages in both directions per second, in the last second. */
  throughput: number;
  /** When these were the figures. */
  timestamp: string;
}

/** What a worker hears on the channel of `WORKER_CHANNEL`: what a client has sent, whose type is that of the event. */
export interface WorkerMessage {
  /** The client. What is published on `client:<this>` reaches it. */
  clientId: string;
  /** Which program the client says it is. */
  clientType: string | null;
  /** Ties the answer to the message: the message's `id`, or its `correlationId`, or else one that the server made. */
  correlationId: string;
  /** The message's data, as it was sent. */
  data: unknown;
  /** The session that the client is in. */
  sessionId: string | null;
  /** Whose client it is, if that is known. */
  userId: string | null;
  /** Of what version. */
  version: string | null;
}
