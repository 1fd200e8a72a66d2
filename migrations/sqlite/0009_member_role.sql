-- Named as on Postgres, where no index may name `fields`.
DROP INDEX entities_owners;
ALTER TABLE entities ADD COLUMN member_role text
    GENERATED ALWAYS AS (CASE WHEN kind = 'member' THEN fields ->> 'role' END) VIRTUAL;
CREATE INDEX entities_owners ON entities (project_id, id)
    WHERE kind = 'member' AND deleted_at IS NULL AND member_role = 'owner';
