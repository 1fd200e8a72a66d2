-- Copies from fields, made by whoever writes the row, as `status` and `sprint_id` are. `lane` is the column of a board in
-- which a task is: its columnId, column or listId, or else its status. `status_key` is how a status is compared, and
-- `place_key` how a position of the frontend's own sorts; it is not known of tasks that were written before.
ALTER TABLE entities
    ADD COLUMN parent_id text COLLATE "C",
    ADD COLUMN lane text COLLATE "C",
    ADD COLUMN status_key text COLLATE "C",
    ADD COLUMN place_key text COLLATE "C";
UPDATE entities SET
    parent_id = CASE WHEN jsonb_typeof(fields -> 'parentId') IN ('string', 'number')
        THEN nullif(fields ->> 'parentId', '') END,
    lane = coalesce(
        CASE WHEN jsonb_typeof(fields -> 'columnId') IN ('string', 'number') THEN nullif(fields ->> 'columnId', '') END,
        CASE WHEN jsonb_typeof(fields -> 'column') IN ('string', 'number') THEN nullif(fields ->> 'column', '') END,
        CASE WHEN jsonb_typeof(fields -> 'listId') IN ('string', 'number') THEN nullif(fields ->> 'listId', '') END,
        status)
WHERE kind IN ('task', 'sprint');
UPDATE entities SET status_key = lower(regexp_replace(coalesce(status, lane), '\s', '', 'g'))
WHERE kind IN ('task', 'sprint');

DROP INDEX entities_column;
CREATE INDEX entities_column ON entities (project_id, lane, sprint_id, rank, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND octet_length(rank) <= 512
        AND octet_length(coalesce(lane, '')) <= 255 AND octet_length(coalesce(sprint_id, '')) <= 255;
CREATE INDEX entities_own_order ON entities (project_id, lane, sprint_id, place_key, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL AND place_key IS NOT NULL
        AND octet_length(coalesce(lane, '')) <= 255 AND octet_length(coalesce(sprint_id, '')) <= 255;
CREATE INDEX entities_tasks_of_parent ON entities (project_id, parent_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND octet_length(parent_id) <= 255;
-- The statuses are those of a finished task (FINISHED in src/domain/cascade.rs).

DROP INDEX entities_unfinished_of_sprint;
CREATE INDEX entities_unfinished_of_sprint ON entities (project_id, sprint_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND octet_length(sprint_id) <= 255
        AND (status_key IS NULL OR status_key NOT IN ('done', 'completed', 'complete', 'closed', 'finished', 'resolved',
            'cancelled', 'canceled', 'archived'));

-- The statuses that are finished besides, as a JSON list.
ALTER TABLE cascades ADD COLUMN done text;
