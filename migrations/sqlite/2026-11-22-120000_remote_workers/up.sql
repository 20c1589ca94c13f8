-- Remote workers may ask for certain kinds of jobs. Jobs of other kinds must not slow their leases.
CREATE INDEX jobs_queued_remote ON jobs (queue_id, kind, priority DESC, id)
    WHERE state = 1 AND lane = 3;

-- The worker with the latest lease of a job in the remote lane, and the duration that it asked for. A
-- separate table, because to read a column after the payload SQLite would read the whole payload.
CREATE TABLE remote_leases (
    job_id   INTEGER PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    lease_ms INTEGER NOT NULL CHECK (lease_ms > 0),
    worker   TEXT    CHECK (length(worker) BETWEEN 1 AND 128)
) STRICT;
