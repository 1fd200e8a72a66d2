-- Postgres changes a row in place, without touching an index, only if no index and no index's condition names a column
-- that changes. `fields` changes with each update of a task, so no index may name it.
DROP INDEX entities_owners;
ALTER TABLE entities ADD COLUMN member_role text
    GENERATED ALWAYS AS (CASE WHEN kind = 'member' THEN fields ->> 'role' END) STORED;
CREATE INDEX entities_owners ON entities (project_id, id)
    WHERE kind = 'member' AND deleted_at IS NULL AND member_role = 'owner';
