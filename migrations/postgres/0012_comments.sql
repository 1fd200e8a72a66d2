-- What stands beside the tasks of a board: comments, and entities of kinds that the configuration declares. `belongs_to` is the
-- id of the task, or of what else they belong to, a copy from fields, made by whoever writes the row.
ALTER TABLE entities ADD COLUMN belongs_to text COLLATE "C";
CREATE INDEX entities_beside ON entities (project_id, kind, belongs_to, created_at, id)
    WHERE deleted_at IS NULL AND kind NOT IN ('project', 'task', 'epic', 'sprint', 'member');

CREATE VIEW comments AS
SELECT
    project_id,
    id,
    belongs_to,
    fields ->> 'taskId' AS task_id,
    fields ->> 'parentId' AS parent_id,
    coalesce(fields ->> 'text', fields ->> 'content', fields ->> 'body', fields ->> 'message', fields ->> 'comment') AS text,
    version,
    to_timestamp(created_at / 1000.0) AS created_at,
    created_by,
    to_timestamp(updated_at / 1000.0) AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'comment' AND deleted_at IS NULL;
