-- Keys with which programs show who they are. A name is never given twice: it is the author of what was
-- written with it. hash is the SHA-256 of the secret, hexadecimal; scopes a JSON object, project → role.
CREATE TABLE api_keys (
    name TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
);
