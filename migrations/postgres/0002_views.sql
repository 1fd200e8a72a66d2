-- For people who use SQL: what is not deleted, one view per kind. Clients may send any JSON type in any
-- field, so every column taken from fields is text, a date as it was sent; nothing can make a view fail.

CREATE VIEW projects AS
SELECT
    id,
    coalesce(fields ->> 'title', fields ->> 'name') AS title,
    fields ->> 'description' AS description,
    fields ->> 'status' AS status,
    coalesce(fields ->> 'owner', fields ->> 'ownerId', fields ->> 'owner_id') AS owner,
    coalesce(fields ->> 'startDate', fields ->> 'start_date') AS start_date,
    coalesce(fields ->> 'dueDate', fields ->> 'due_date') AS due_date,
    version,
    to_timestamp(created_at / 1000.0) AS created_at,
    created_by,
    to_timestamp(updated_at / 1000.0) AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'project' AND deleted_at IS NULL;

CREATE VIEW tasks AS
SELECT
    project_id,
    id,
    coalesce(fields ->> 'title', fields ->> 'name') AS title,
    fields ->> 'description' AS description,
    fields ->> 'status' AS status,
    fields ->> 'priority' AS priority,
    coalesce(fields ->> 'assignee', fields ->> 'assigneeId', fields ->> 'assignee_id', fields ->> 'assignedTo', fields ->> 'assigned_to') AS assignee,
    coalesce(fields ->> 'epicId', fields ->> 'epic_id') AS epic_id,
    coalesce(fields ->> 'sprintId', fields ->> 'sprint_id') AS sprint_id,
    fields ->> 'position' AS position,
    coalesce(fields ->> 'dueDate', fields ->> 'due_date') AS due_date,
    rank,
    version,
    to_timestamp(created_at / 1000.0) AS created_at,
    created_by,
    to_timestamp(updated_at / 1000.0) AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'task' AND deleted_at IS NULL;

CREATE VIEW epics AS
SELECT
    project_id,
    id,
    coalesce(fields ->> 'title', fields ->> 'name') AS title,
    fields ->> 'description' AS description,
    fields ->> 'status' AS status,
    fields ->> 'priority' AS priority,
    coalesce(fields ->> 'assignee', fields ->> 'assigneeId', fields ->> 'assignee_id', fields ->> 'assignedTo', fields ->> 'assigned_to') AS assignee,
    fields ->> 'color' AS color,
    coalesce(fields ->> 'startDate', fields ->> 'start_date') AS start_date,
    coalesce(fields ->> 'dueDate', fields ->> 'due_date') AS due_date,
    version,
    to_timestamp(created_at / 1000.0) AS created_at,
    created_by,
    to_timestamp(updated_at / 1000.0) AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'epic' AND deleted_at IS NULL;

CREATE VIEW sprints AS
SELECT
    project_id,
    id,
    coalesce(fields ->> 'title', fields ->> 'name') AS title,
    fields ->> 'description' AS description,
    fields ->> 'status' AS status,
    fields ->> 'goal' AS goal,
    coalesce(fields ->> 'startDate', fields ->> 'start_date') AS start_date,
    coalesce(fields ->> 'endDate', fields ->> 'end_date') AS end_date,
    version,
    to_timestamp(created_at / 1000.0) AS created_at,
    created_by,
    to_timestamp(updated_at / 1000.0) AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'sprint' AND deleted_at IS NULL;
