-- Workers over HTTP may take jobs of some kinds only. What they pass over must not cost them.
CREATE INDEX jobs_queued_remote ON jobs (queue_id, kind, priority DESC, id)
    WHERE state = 1 AND lane = 3;

-- Who holds or held the last lease of a job in the remote lane, and for how long it was asked. Apart
-- from jobs, for a column behind the payload would be read by way of the whole payload.
CREATE TABLE remote_leases (
    job_id   INTEGER PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    lease_ms INTEGER NOT NULL CHECK (lease_ms > 0),
    worker   TEXT    CHECK (length(worker) BETWEEN 1 AND 128)
) STRICT;
