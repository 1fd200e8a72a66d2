-- Copies from fields, made by whoever writes the row, as `status` and `sprint_id` are. `lane` is the column of a board in
-- which a task is: its columnId, column or listId, or else its status. `status_key` is how a status is compared, and
-- `place_key` how a position of the frontend's own sorts; it is not known of tasks that were written before.
ALTER TABLE entities ADD COLUMN parent_id text;
ALTER TABLE entities ADD COLUMN lane text;
ALTER TABLE entities ADD COLUMN status_key text;
ALTER TABLE entities ADD COLUMN place_key text;
UPDATE entities SET
    parent_id = CASE WHEN json_type(fields, '$.parentId') IN ('text', 'integer', 'real')
        THEN nullif(CAST(fields ->> 'parentId' AS TEXT), '') END,
    lane = coalesce(
        CASE WHEN json_type(fields, '$.columnId') IN ('text', 'integer', 'real')
            THEN nullif(CAST(fields ->> 'columnId' AS TEXT), '') END,
        CASE WHEN json_type(fields, '$.column') IN ('text', 'integer', 'real')
            THEN nullif(CAST(fields ->> 'column' AS TEXT), '') END,
        CASE WHEN json_type(fields, '$.listId') IN ('text', 'integer', 'real')
            THEN nullif(CAST(fields ->> 'listId' AS TEXT), '') END,
        status)
WHERE kind IN ('task', 'sprint');
UPDATE entities SET status_key = lower(replace(replace(coalesce(status, lane), ' ', ''), char(9), ''))
WHERE kind IN ('task', 'sprint');

DROP INDEX entities_column;
CREATE INDEX entities_column ON entities (project_id, lane, sprint_id, rank, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL;
CREATE INDEX entities_own_order ON entities (project_id, lane, sprint_id, place_key, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL AND place_key IS NOT NULL;
CREATE INDEX entities_tasks_of_parent ON entities (project_id, parent_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND parent_id IS NOT NULL;
-- The statuses are those of a finished task (FINISHED in src/domain/cascade.rs).
DROP INDEX entities_unfinished_of_sprint;
CREATE INDEX entities_unfinished_of_sprint ON entities (project_id, sprint_id, id, status_key)
    WHERE kind = 'task' AND deleted_at IS NULL AND sprint_id IS NOT NULL
        AND (status_key IS NULL OR status_key NOT IN ('done', 'completed', 'complete', 'closed', 'finished', 'resolved',
            'cancelled', 'canceled', 'archived'));

-- The statuses that are finished besides, as a JSON list.
ALTER TABLE cascades ADD COLUMN done text;
