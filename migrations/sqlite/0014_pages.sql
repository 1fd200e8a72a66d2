-- Pages of lists and states are read in their order: what is no task by age, and the tasks that have no rank, of which there
-- are hardly any. Tasks with a rank are read by entities_order.
CREATE INDEX entities_by_age ON entities (project_id, kind, created_at, id) WHERE deleted_at IS NULL AND kind <> 'task';
CREATE INDEX entities_unranked ON entities (project_id, created_at, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NULL;

-- The card with the nearest position of the frontend's own is found at once, also if many have the same one.
DROP INDEX entities_own_order;
CREATE INDEX entities_own_order ON entities (project_id, lane, sprint_id, place_key, rank, id)
    WHERE kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL AND place_key IS NOT NULL;
