-- Indexes for lists. This migration takes about two seconds per million jobs.

-- All jobs of a queue or of a kind; a list merges one range per kind or per queue. It has no column
-- that changes while a job exists, so it adds cost only when a job is inserted or removed.
CREATE INDEX jobs_listed ON jobs (queue_id, kind, id);

-- The jobs in rare states: scheduled, retrying, failed and cancelled. A job that goes straight from
-- queued to completed is never in these indexes. The condition has no IN, because SQLite would create a
-- table in memory for it at every row.
DROP INDEX jobs_failed;
DROP INDEX jobs_cancelled;
CREATE INDEX jobs_rare ON jobs (state, id)
    WHERE state <> 1 AND state <> 2 AND state <> 4;
CREATE INDEX jobs_rare_listed ON jobs (state, queue_id, kind, id)
    WHERE state <> 1 AND state <> 2 AND state <> 4;

-- The latest failures, which are not necessarily of the latest submissions.
CREATE INDEX jobs_failed_at ON jobs (finished_at) WHERE state = 5;
