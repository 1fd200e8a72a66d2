-- For people who use SQL: what is not deleted, one view per kind. Clients may send any JSON type in any
-- field, so every column taken from fields is text, a date as it was sent; nothing can make a view fail.

CREATE VIEW projects AS
SELECT
    id,
    CAST(coalesce(fields ->> 'title', fields ->> 'name') AS TEXT) AS title,
    CAST(fields ->> 'description' AS TEXT) AS description,
    CAST(fields ->> 'status' AS TEXT) AS status,
    CAST(coalesce(fields ->> 'owner', fields ->> 'ownerId', fields ->> 'owner_id') AS TEXT) AS owner,
    CAST(coalesce(fields ->> 'startDate', fields ->> 'start_date') AS TEXT) AS start_date,
    CAST(coalesce(fields ->> 'dueDate', fields ->> 'due_date') AS TEXT) AS due_date,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    created_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'project' AND deleted_at IS NULL;

CREATE VIEW tasks AS
SELECT
    project_id,
    id,
    CAST(coalesce(fields ->> 'title', fields ->> 'name') AS TEXT) AS title,
    CAST(fields ->> 'description' AS TEXT) AS description,
    CAST(fields ->> 'status' AS TEXT) AS status,
    CAST(fields ->> 'priority' AS TEXT) AS priority,
    CAST(coalesce(fields ->> 'assignee', fields ->> 'assigneeId', fields ->> 'assignee_id', fields ->> 'assignedTo', fields ->> 'assigned_to') AS TEXT) AS assignee,
    CAST(coalesce(fields ->> 'epicId', fields ->> 'epic_id') AS TEXT) AS epic_id,
    CAST(coalesce(fields ->> 'sprintId', fields ->> 'sprint_id') AS TEXT) AS sprint_id,
    CAST(fields ->> 'position' AS TEXT) AS position,
    CAST(coalesce(fields ->> 'dueDate', fields ->> 'due_date') AS TEXT) AS due_date,
    rank,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    created_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'task' AND deleted_at IS NULL;

CREATE VIEW epics AS
SELECT
    project_id,
    id,
    CAST(coalesce(fields ->> 'title', fields ->> 'name') AS TEXT) AS title,
    CAST(fields ->> 'description' AS TEXT) AS description,
    CAST(fields ->> 'status' AS TEXT) AS status,
    CAST(fields ->> 'priority' AS TEXT) AS priority,
    CAST(coalesce(fields ->> 'assignee', fields ->> 'assigneeId', fields ->> 'assignee_id', fields ->> 'assignedTo', fields ->> 'assigned_to') AS TEXT) AS assignee,
    CAST(fields ->> 'color' AS TEXT) AS color,
    CAST(coalesce(fields ->> 'startDate', fields ->> 'start_date') AS TEXT) AS start_date,
    CAST(coalesce(fields ->> 'dueDate', fields ->> 'due_date') AS TEXT) AS due_date,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    created_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'epic' AND deleted_at IS NULL;

CREATE VIEW sprints AS
SELECT
    project_id,
    id,
    CAST(coalesce(fields ->> 'title', fields ->> 'name') AS TEXT) AS title,
    CAST(fields ->> 'description' AS TEXT) AS description,
    CAST(fields ->> 'status' AS TEXT) AS status,
    CAST(fields ->> 'goal' AS TEXT) AS goal,
    CAST(coalesce(fields ->> 'startDate', fields ->> 'start_date') AS TEXT) AS start_date,
    CAST(coalesce(fields ->> 'endDate', fields ->> 'end_date') AS TEXT) AS end_date,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    created_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'sprint' AND deleted_at IS NULL;
