-- Who belongs to which project, and as what: members are entities like any other.

CREATE VIEW members AS
SELECT
    project_id,
    id AS user_id,
    CAST(fields ->> 'role' AS TEXT) AS role,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    created_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at,
    updated_by,
    fields
FROM entities
WHERE kind = 'member' AND deleted_at IS NULL;
