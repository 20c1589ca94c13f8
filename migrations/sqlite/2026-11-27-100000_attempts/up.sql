-- Rebuild `jobs` once for all columns that are known to come, and replace `failures` by `attempts`.
--
-- To read a column, SQLite passes over all columns before it. A column after `payload` would cost as much
-- as reading the whole payload, so columns that are read often come before it, and the others are in
-- `job_extras`.
-- The rebuild follows https://www.sqlite.org/lang_altertable.html, section 7. The program switches
-- foreign keys and CHECK constraints off while it runs, so that an impossible row neither blocks the
-- migration nor is lost.

CREATE TABLE jobs_new (
    id               INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    state            INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6),
    lane             INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 3),
    queue_id         INTEGER NOT NULL REFERENCES queues (id),
    priority         INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
    attempt          INTEGER NOT NULL DEFAULT 0,
    max_attempts     INTEGER NOT NULL CHECK (max_attempts > 0),
    lease_token      INTEGER NOT NULL DEFAULT 0 CHECK (lease_token >= 0),
    lease_expires_at INTEGER,
    created_at       INTEGER NOT NULL,
    run_at           INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    expires_at       INTEGER,
    at_most_once     INTEGER NOT NULL CHECK (at_most_once IN (0, 1)),
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    timeout_ms       INTEGER NOT NULL CHECK (timeout_ms > 0),
    batch_id         INTEGER REFERENCES batches (id),
    -- Reserved: the provider that a chat job calls, the limit of its concurrency key, the API key that
    -- submitted it, and the number of jobs that it waits for.
    provider_id      INTEGER,
    limit_id         INTEGER,
    key_id           INTEGER,
    waits_for        INTEGER,
    progress_percent REAL    CHECK (progress_percent BETWEEN 0 AND 100),
    progress_message TEXT,
    error_code       TEXT,
    error_message    TEXT,
    -- A JSON array of initial_ms, factor, max_ms, jitter and max_retry_after_ms. NULL is the backoff
    -- [1000, 2.0, 600000, 0.2, 3600000].
    backoff          TEXT,
    tags             TEXT,
    kind             TEXT    NOT NULL,
    payload          TEXT    NOT NULL,
    CHECK (attempt BETWEEN 0 AND max_attempts),
    CHECK ((state = 2) = (lease_expires_at IS NOT NULL)),
    CHECK ((state >= 4) = (finished_at IS NOT NULL)),
    CHECK (state = 2 OR cancel_requested = 0),
    CHECK (state <= 1 OR state = 6 OR lease_token > 0),
    CHECK ((error_code IS NULL) = (error_message IS NULL))
) STRICT;

INSERT INTO jobs_new (id, state, lane, queue_id, priority, attempt, max_attempts, lease_token,
    lease_expires_at, created_at, run_at, started_at, finished_at, expires_at, at_most_once,
    cancel_requested, timeout_ms, batch_id, progress_percent, progress_message, error_code,
    error_message, backoff, tags, kind, payload)
SELECT id, state, lane, queue_id, priority, attempt, max_attempts, lease_token,
    lease_expires_at, created_at, run_at, started_at, finished_at, expires_at, at_most_once,
    cancel_requested, timeout_ms, batch_id, progress_percent, progress_message, error_code,
    error_message,
    CASE WHEN backoff_initial_ms = 1000 AND backoff_factor = 2.0 AND backoff_max_ms = 600000
        AND backoff_jitter = 0.2 THEN NULL
    ELSE json_array(backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter, 3600000) END,
    tags, kind, payload
FROM jobs NOT INDEXED ORDER BY id;

-- The largest id that was ever assigned, which may belong to a job that was removed.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'jobs_new', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'jobs_new');
UPDATE sqlite_sequence
SET seq = max(seq, coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'jobs'), 0))
WHERE name = 'jobs_new';

DROP TABLE jobs;
ALTER TABLE jobs_new RENAME TO jobs;

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

-- Seldom-read columns of the jobs that have them.
CREATE TABLE job_extras (
    job_id           INTEGER PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    -- max_attempts as it was submitted, if a manual retry has raised it.
    attempts_granted INTEGER CHECK (attempts_granted > 0),
    truncate_result  INTEGER NOT NULL DEFAULT 0 CHECK (truncate_result IN (0, 1)),
    metadata         TEXT,
    -- Reserved: the webhook for the end of the job, and the trace context of its submission.
    callback         TEXT,
    traceparent      TEXT
) STRICT;

-- One row for each attempt that ended other than completed, and for a completed one if more is known
-- about it than the result. The token distinguishes leases with the same attempt number.
CREATE TABLE attempts (
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    lease_token INTEGER NOT NULL,
    attempt     INTEGER NOT NULL CHECK (attempt > 0),
    state       INTEGER NOT NULL CHECK (state BETWEEN 4 AND 6),
    -- NULL in rows of older versions.
    started_at  INTEGER,
    ended_at    INTEGER NOT NULL,
    worker      TEXT,
    code        TEXT,
    message     TEXT,
    -- A JSON object, see job::attempt::AttemptDetail.
    detail      TEXT,
    PRIMARY KEY (job_id, lease_token),
    CHECK ((state = 4) = (code IS NULL)),
    CHECK ((code IS NULL) = (message IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO attempts (job_id, lease_token, attempt, state, ended_at, code, message)
SELECT job_id, lease_token, attempt, 5, failed_at, code, message FROM failures;

DROP TABLE failures;

-- Each API key has its own space of idempotency keys; 0 is the space without an API key. `by_value` says
-- whether the fingerprint is of the submission's value or, in older rows, of its bytes.
CREATE TABLE submissions_new (
    key_id          INTEGER NOT NULL,
    idempotency_key TEXT    NOT NULL,
    by_value        INTEGER NOT NULL CHECK (by_value IN (0, 1)),
    fingerprint     BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    first_job_id    INTEGER NOT NULL,
    jobs            INTEGER NOT NULL CHECK (jobs > 0),
    batch_id        INTEGER,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (key_id, idempotency_key)
) STRICT, WITHOUT ROWID;

INSERT INTO submissions_new
SELECT 0, idempotency_key, 0, fingerprint, first_job_id, jobs, batch_id, created_at FROM submissions;
DROP TABLE submissions;
ALTER TABLE submissions_new RENAME TO submissions;
CREATE INDEX submissions_first_job ON submissions (first_job_id);

-- How often a job was submitted in a state that waits, or moved to one of the others. Unlike `jobs` these
-- counters never fall. Older databases start with the jobs that still exist.
ALTER TABLE queue_counts ADD COLUMN entered INTEGER NOT NULL DEFAULT 0 CHECK (entered >= 0);
UPDATE queue_counts SET entered = jobs WHERE state >= 4;
UPDATE queue_counts
SET entered = (SELECT sum(jobs) FROM queue_counts AS other WHERE other.queue_id = queue_counts.queue_id)
WHERE state = 1;
