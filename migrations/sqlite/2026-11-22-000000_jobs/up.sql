-- Times are milliseconds since 1970 UTC. States: 0 scheduled, 1 queued, 2 running, 3 retrying,
-- 4 completed, 5 failed, 6 cancelled. Lanes: 0 async, 1 thread, 2 process, 3 remote.

CREATE TABLE queues (
    id             INTEGER PRIMARY KEY NOT NULL,
    name           TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    paused         INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    max_running    INTEGER CHECK (max_running > 0),
    rate_limit     INTEGER CHECK (rate_limit > 0),
    rate_period_ms INTEGER CHECK (rate_period_ms > 0),
    created_at     INTEGER NOT NULL,
    CHECK ((rate_limit IS NULL) = (rate_period_ms IS NULL))
) STRICT;

-- Number of jobs of a queue in each state, updated in the same transactions as the jobs.
CREATE TABLE queue_counts (
    queue_id INTEGER NOT NULL REFERENCES queues (id),
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6),
    jobs     INTEGER NOT NULL CHECK (jobs >= 0),
    PRIMARY KEY (queue_id, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
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

CREATE TABLE jobs (
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
    CHECK ((state IN (4, 5, 6)) = (finished_at IS NOT NULL)),
    CHECK (state = 2 OR cancel_requested = 0),
    CHECK (state IN (0, 1, 6) OR lease_token > 0),
    CHECK ((error_code IS NULL) = (error_message IS NULL))
) STRICT;

-- Partial indexes, so that their cost does not grow with the number of jobs that have ended.
CREATE INDEX jobs_queued   ON jobs (lane, queue_id, priority DESC, id) WHERE state = 1;
CREATE INDEX jobs_due      ON jobs (run_at) WHERE state IN (0, 3);
CREATE INDEX jobs_leased   ON jobs (lease_expires_at) WHERE state = 2;
CREATE INDEX jobs_expiring ON jobs (expires_at)
    WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (0, 1);
CREATE INDEX jobs_batch    ON jobs (batch_id, id) WHERE batch_id IS NOT NULL;
-- For lists: states that only a few of many rows are in.
CREATE INDEX jobs_failed    ON jobs (id) WHERE state = 5;
CREATE INDEX jobs_cancelled ON jobs (id) WHERE state = 6;

-- A separate table, so that finishing a job does not rewrite its payload.
CREATE TABLE results (
    job_id    INTEGER PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    truncated INTEGER NOT NULL CHECK (truncated IN (0, 1)),
    result    TEXT    NOT NULL
) STRICT;

-- One row per failed attempt. The token distinguishes leases with the same attempt number.
CREATE TABLE failures (
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    lease_token INTEGER NOT NULL,
    attempt     INTEGER NOT NULL CHECK (attempt > 0),
    failed_at   INTEGER NOT NULL,
    code        TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    PRIMARY KEY (job_id, lease_token)
) STRICT, WITHOUT ROWID;

-- For lists by tag. The column jobs.tags has the same tags, to show them with the job.
CREATE TABLE job_tags (
    tag    TEXT    NOT NULL,
    job_id INTEGER NOT NULL,
    PRIMARY KEY (tag, job_id)
) STRICT, WITHOUT ROWID;

-- One row per submission with an idempotency key. The jobs of a submission have consecutive ids.
CREATE TABLE submissions (
    idempotency_key TEXT    PRIMARY KEY NOT NULL,
    fingerprint     BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    first_job_id    INTEGER NOT NULL,
    jobs            INTEGER NOT NULL CHECK (jobs > 0),
    batch_id        INTEGER,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX submissions_first_job ON submissions (first_job_id);
