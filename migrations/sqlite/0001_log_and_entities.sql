-- Which database this is: tells a cursor of another one apart.
CREATE TABLE meta (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    epoch TEXT NOT NULL
);

-- AUTOINCREMENT: a number that was given to a channel is never given to another one.
CREATE TABLE channels (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL DEFAULT 0,
    pruned_seq INTEGER NOT NULL DEFAULT 0
);

-- Rows with payloads are too big to be kept in an index (WITHOUT ROWID); so are entities and answers.
CREATE TABLE events (
    channel_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    actor TEXT NOT NULL,
    idempotency_key TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel_no, seq)
);

-- Projects, epics, sprints and tasks. status, epic_id and sprint_id are copies from fields, made by
-- whoever writes the row; ranks and ids sort by their bytes.
CREATE TABLE entities (
    project_id TEXT NOT NULL,
    project_id_numeric INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    id_numeric INTEGER NOT NULL,
    fields TEXT NOT NULL,
    history TEXT NOT NULL,
    version INTEGER NOT NULL,
    rank TEXT,
    status TEXT,
    epic_id TEXT,
    sprint_id TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT,
    PRIMARY KEY (project_id, kind, id)
);

CREATE INDEX entities_tasks_of_epic ON entities (project_id, epic_id)
    WHERE kind = 'task' AND deleted_at IS NULL AND epic_id IS NOT NULL;
CREATE INDEX entities_tasks_of_sprint ON entities (project_id, sprint_id)
    WHERE kind = 'task' AND deleted_at IS NULL AND sprint_id IS NOT NULL;
CREATE INDEX entities_order ON entities (project_id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL;

CREATE TABLE answers (
    channel_no INTEGER NOT NULL,
    key TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    reply TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel_no, key)
);

CREATE INDEX answers_created_at ON answers (created_at);
