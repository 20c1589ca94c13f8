-- API keys that see only some queues: which key took a lease, and the queues of a batch.
ALTER TABLE remote_leases ADD COLUMN key_id INTEGER;

-- The queues in which a batch has or had jobs. A key sees a batch if it sees all of them.
CREATE TABLE batch_queues (
    batch_id INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    queue_id INTEGER NOT NULL REFERENCES queues (id),
    PRIMARY KEY (batch_id, queue_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_queues_listed ON batch_queues (queue_id, batch_id);

INSERT INTO batch_queues SELECT DISTINCT batch_id, queue_id FROM jobs WHERE batch_id IS NOT NULL;

-- Number of jobs that were submitted with the key and have not ended.
ALTER TABLE api_keys ADD COLUMN unfinished INTEGER NOT NULL DEFAULT 0 CHECK (unfinished >= 0);

-- The secret with which tokens are signed. The server makes it when it opens the database first.
CREATE TABLE signing_secret (
    id     INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    secret BLOB    NOT NULL CHECK (length(secret) = 32)
) STRICT;
