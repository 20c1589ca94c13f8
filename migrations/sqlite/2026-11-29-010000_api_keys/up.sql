-- API keys. Revoked keys stay, so that a key which ended is told from one that never existed, and so that the
-- server never opens again to requests without a key.
CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- SHA-256 of the secret. The secret itself is not stored.
    digest       BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- A JSON array of submit, read, work and admin.
    scopes       TEXT    NOT NULL CHECK (json_valid(scopes) AND json_array_length(scopes) > 0),
    -- A JSON array of patterns of queue names; empty for all queues.
    queues       TEXT    NOT NULL CHECK (json_valid(queues) AND json_type(queues) = 'array'),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    -- To the minute.
    last_used_at INTEGER
) STRICT;

CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;
