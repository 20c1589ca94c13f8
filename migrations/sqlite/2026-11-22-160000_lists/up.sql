-- For lists. A database with many jobs takes about two seconds a million for this, once.

-- All jobs of a queue, and all of a kind, a kind or a queue at a time. Of what changes while a job
-- lives it holds nothing, so that only inserting and removing jobs costs.
CREATE INDEX jobs_listed ON jobs (queue_id, kind, id);

-- The jobs in states that are rare among many others: scheduled, retrying, failed and cancelled. Those
-- that go straight from queued to completed never stand here. No IN, for which SQLite would make a table
-- in memory at every row.
DROP INDEX jobs_failed;
DROP INDEX jobs_cancelled;
CREATE INDEX jobs_rare ON jobs (state, id)
    WHERE state <> 1 AND state <> 2 AND state <> 4;
CREATE INDEX jobs_rare_listed ON jobs (state, queue_id, kind, id)
    WHERE state <> 1 AND state <> 2 AND state <> 4;

-- What failed last, which need not have been submitted last.
CREATE INDEX jobs_failed_at ON jobs (finished_at) WHERE state = 5;
