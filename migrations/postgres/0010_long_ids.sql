-- Ids have up to 255 bytes, so the indexes that hold references to epics and sprints take that much. A status that is
-- longer is still looked for without an index. The longest row of an index has some 1,600 bytes; Postgres takes 2,700.
DROP INDEX entities_column;
CREATE INDEX entities_column ON entities (project_id, status, sprint_id, rank, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND octet_length(rank) <= 512
        AND octet_length(coalesce(status, '')) <= 255 AND octet_length(coalesce(sprint_id, '')) <= 255;
DROP INDEX entities_tasks_of_epic;
CREATE INDEX entities_tasks_of_epic ON entities (project_id, epic_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND octet_length(epic_id) <= 255;
DROP INDEX entities_tasks_of_sprint;
CREATE INDEX entities_tasks_of_sprint ON entities (project_id, sprint_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND octet_length(sprint_id) <= 255;
DROP INDEX entities_unfinished_of_sprint;
CREATE INDEX entities_unfinished_of_sprint ON entities (project_id, sprint_id, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND octet_length(sprint_id) <= 255
        AND (status IS NULL OR lower(status COLLATE "C") NOT IN ('done', 'completed', 'complete', 'closed', 'finished',
            'resolved', 'cancelled', 'canceled', 'archived'));
