-- Secrets that sign webhooks. Their values are stored, because a signature needs them, and they stay in backups,
-- because the receivers of webhooks know them.
CREATE TABLE webhook_secrets (
    id             INTEGER PRIMARY KEY NOT NULL,
    -- In the form of a queue name.
    name           TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    secret         BLOB    NOT NULL CHECK (length(secret) = 32),
    -- The value before the last rotation, which signs as well until previous_until.
    previous       BLOB    CHECK (length(previous) = 32),
    previous_until INTEGER CHECK ((previous_until IS NULL) = (previous IS NULL)),
    created_at     INTEGER NOT NULL,
    rotated_at     INTEGER
) STRICT;
