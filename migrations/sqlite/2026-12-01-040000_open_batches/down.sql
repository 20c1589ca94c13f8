-- Back to the older table. Open batches without live jobs are closed. Foreign keys must be off.
CREATE TABLE batches_old (
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
    CHECK ((finished_at IS NOT NULL) = (scheduled + queued + running + retrying = 0))
) STRICT;

INSERT INTO batches_old (id, name, total, scheduled, queued, running, retrying, completed, failed, cancelled, created_at, finished_at)
SELECT id, name, total, scheduled, queued, running, retrying, completed, failed, cancelled, created_at,
    CASE WHEN scheduled + queued + running + retrying = 0 THEN coalesce(finished_at, created_at) END
FROM batches ORDER BY id;

-- The largest id that was ever assigned, which may belong to a batch that was removed.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'batches_old', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'batches_old');
UPDATE sqlite_sequence
SET seq = max(seq, coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'batches'), 0))
WHERE name = 'batches_old';

DROP TABLE batches;
ALTER TABLE batches_old RENAME TO batches;
