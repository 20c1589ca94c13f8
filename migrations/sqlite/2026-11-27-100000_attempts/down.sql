-- Back to the older tables. Details of attempts, metadata and counters are lost. Foreign keys must be off.
CREATE TABLE jobs_old (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    state              INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6),
    lane               INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 3),
    queue_id           INTEGER NOT NULL REFERENCES queues (id),
    priority           INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
    attempt            INTEGER NOT NULL DEFAULT 0,
    max_attempts       INTEGER NOT NULL CHECK (max_attempts > 0),
    lease_token        INTEGER NOT NULL DEFAULT 0 CHECK (lease_token >= 0),
    lease_expires_at   INTEGER,
    created_at         INTEGER NOT NULL,
    run_at             INTEGER NOT NULL,
    started_at         INTEGER,
    finished_at        INTEGER,
    expires_at         INTEGER,
    at_most_once       INTEGER NOT NULL CHECK (at_most_once IN (0, 1)),
    cancel_requested   INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    timeout_ms         INTEGER NOT NULL CHECK (timeout_ms > 0),
    backoff_initial_ms INTEGER NOT NULL CHECK (backoff_initial_ms >= 0),
    backoff_factor     REAL    NOT NULL CHECK (backoff_factor >= 1),
    backoff_max_ms     INTEGER NOT NULL CHECK (backoff_max_ms >= backoff_initial_ms),
    backoff_jitter     REAL    NOT NULL CHECK (backoff_jitter BETWEEN 0 AND 1),
    batch_id           INTEGER REFERENCES batches (id),
    progress_percent   REAL    CHECK (progress_percent BETWEEN 0 AND 100),
    progress_message   TEXT,
    error_code         TEXT,
    error_message      TEXT,
    tags               TEXT,
    kind               TEXT    NOT NULL,
    payload            TEXT    NOT NULL,
    CHECK (attempt BETWEEN 0 AND max_attempts),
    CHECK ((state = 2) = (lease_expires_at IS NOT NULL)),
    CHECK ((state >= 4) = (finished_at IS NOT NULL)),
    CHECK (state = 2 OR cancel_requested = 0),
    CHECK (state <= 1 OR state = 6 OR lease_token > 0),
    CHECK ((error_code IS NULL) = (error_message IS NULL))
) STRICT;

INSERT INTO jobs_old
SELECT id, state, lane, queue_id, priority, attempt, max_attempts, lease_token, lease_expires_at,
    created_at, run_at, started_at, finished_at, expires_at, at_most_once, cancel_requested, timeout_ms,
    coalesce(backoff ->> 0, 1000), coalesce(backoff ->> 1, 2.0), coalesce(backoff ->> 2, 600000),
    coalesce(backoff ->> 3, 0.2), batch_id, progress_percent, progress_message, error_code,
    error_message, tags, kind, payload
FROM jobs NOT INDEXED ORDER BY id;

INSERT INTO sqlite_sequence (name, seq)
SELECT 'jobs_old', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'jobs_old');
UPDATE sqlite_sequence
SET seq = max(seq, coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'jobs'), 0))
WHERE name = 'jobs_old';
DROP TABLE jobs;
ALTER TABLE jobs_old RENAME TO jobs;

CREATE INDEX jobs_queued        ON jobs (lane, queue_id, priority DESC, id) WHERE state = 1;
CREATE INDEX jobs_queued_remote ON jobs (queue_id, kind, priority DESC, id)
    WHERE state = 1 AND lane = 3;
CREATE INDEX jobs_due           ON jobs (run_at) WHERE state IN (0, 3);
CREATE INDEX jobs_leased        ON jobs (lease_expires_at) WHERE state = 2;
CREATE INDEX jobs_expiring      ON jobs (expires_at)
    WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (0, 1);
CREATE INDEX jobs_batch         ON jobs (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX jobs_listed        ON jobs (queue_id, kind, id);
CREATE INDEX jobs_rare          ON jobs (state, id)
    WHERE state <> 1 AND state <> 2 AND state <> 4;
CREATE INDEX jobs_rare_listed   ON jobs (state, queue_id, kind, id)
    WHERE state <> 1 AND state <> 2 AND state <> 4;
CREATE INDEX jobs_failed_at     ON jobs (finished_at) WHERE state = 5;

CREATE TABLE failures (
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    lease_token INTEGER NOT NULL,
    attempt     INTEGER NOT NULL CHECK (attempt > 0),
    failed_at   INTEGER NOT NULL,
    code        TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    PRIMARY KEY (job_id, lease_token)
) STRICT, WITHOUT ROWID;
INSERT INTO failures
SELECT job_id, lease_token, attempt, ended_at, code, message FROM attempts WHERE state = 5;
DROP TABLE attempts;
DROP TABLE job_extras;

CREATE TABLE submissions_old (
    idempotency_key TEXT    PRIMARY KEY NOT NULL,
    fingerprint     BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    first_job_id    INTEGER NOT NULL,
    jobs            INTEGER NOT NULL CHECK (jobs > 0),
    batch_id        INTEGER,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO submissions_old
SELECT idempotency_key, fingerprint, first_job_id, jobs, batch_id, created_at
FROM submissions WHERE key_id = 0;
DROP TABLE submissions;
ALTER TABLE submissions_old RENAME TO submissions;
CREATE INDEX submissions_first_job ON submissions (first_job_id);

ALTER TABLE queue_counts DROP COLUMN entered;
