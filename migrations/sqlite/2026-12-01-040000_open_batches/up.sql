-- Batches to which jobs can be added until they are closed. A batch ends when none of its jobs is live and it is
-- closed, so the rule of the table changes, and the table is rebuilt: one row for each batch, no jobs. As in the
-- rebuild of the jobs, foreign keys and CHECK constraints are off.
CREATE TABLE batches_new (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name        TEXT,
    total       INTEGER NOT NULL CHECK (total >= 0),
    scheduled   INTEGER NOT NULL DEFAULT 0 CHECK (scheduled >= 0),
    queued      INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
    running     INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
    retrying    INTEGER NOT NULL DEFAULT 0 CHECK (retrying >= 0),
    completed   INTEGER NOT NULL DEFAULT 0 CHECK (completed >= 0),
    failed      INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled   INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    -- Time at which the batch closes by itself; NULL once it is closed.
    open_until  INTEGER,
    -- Queues of the key that created the batch, as a JSON array of patterns; NULL for all. They decide who sees it
    -- while it has no queues of its own, because no job was ever added.
    queue_access TEXT,
    CHECK ((finished_at IS NOT NULL) = (scheduled + queued + running + retrying = 0 AND open_until IS NULL))
) STRICT;

INSERT INTO batches_new (id, name, total, scheduled, queued, running, retrying, completed, failed, cancelled, created_at, finished_at)
SELECT id, name, total, scheduled, queued, running, retrying, completed, failed, cancelled, created_at, finished_at FROM batches ORDER BY id;

-- The largest id that was ever assigned, which may belong to a batch that was removed.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'batches_new', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'batches_new');
UPDATE sqlite_sequence
SET seq = max(seq, coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'batches'), 0))
WHERE name = 'batches_new';

DROP TABLE batches;
ALTER TABLE batches_new RENAME TO batches;

CREATE INDEX batches_open     ON batches (open_until) WHERE open_until IS NOT NULL;
-- For the removal of ended batches without jobs.
CREATE INDEX batches_finished ON batches (finished_at) WHERE finished_at IS NOT NULL;
-- For lists of batches to which no job was added.
CREATE INDEX batches_empty    ON batches (queue_access, id) WHERE total = 0;
