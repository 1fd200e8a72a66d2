-- What stands beside the tasks of a board: comments, and entities of kinds that the configuration declares. `belongs_to` is the
-- id of the task, or of what else they belong to, a copy from fields, made by whoever writes the row.
ALTER TABLE entities ADD COLUMN belongs_to text;
CREATE INDEX entities_beside ON entities (project_id, kind, belongs_to, created_at, id)
    WHERE deleted_at IS NULL AND kind NOT IN ('project', 'task', 'epic', 'sprint', 'member');

CREATE VIEW comments AS
SELECT
    project_id,
    id,
    belongs_to,
    CAST(fields ->> 'taskId' AS TEXT) AS task_id,
    CAST(fields ->> 'parentId' AS TEXT) AS parent_id,
    CAST(coalesce(fields ->> 'text', fields ->> 'content', fields ->> 'body', fields ->> 'message', fields ->> 'comment') AS TEXT) AS text,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    created_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'comment' AND deleted_at IS NULL;
