-- Keys with which programs show who they are. A name is never given twice: it is the author of what was
-- written with it. hash is the SHA-256 of the secret, hexadecimal; scopes a JSON object, project → role.
CREATE TABLE api_keys (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    hash text NOT NULL,
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    last_used_at bigint
);
