-- Who belongs to which project, and as what: members are entities like any other.

CREATE VIEW members AS
SELECT
    project_id,
    id AS user_id,
    fields ->> 'role' AS role,
    version,
    to_timestamp(created_at / 1000.0) AS created_at,
    created_by,
    to_timestamp(updated_at / 1000.0) AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'member' AND deleted_at IS NULL;
