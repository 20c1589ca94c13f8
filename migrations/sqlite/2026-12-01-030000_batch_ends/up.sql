-- The order in which the jobs of a batch ended, so that a subscriber that reconnects gets what it has missed. A
-- job that is retried ends again, with a higher number. Only jobs of a batch have rows, so other jobs cost nothing.
CREATE TABLE batch_ends (
    batch_id INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    -- Counts the ends of the batch, from 1.
    seq      INTEGER NOT NULL CHECK (seq > 0),
    -- The job may have been removed since.
    job_id   INTEGER NOT NULL,
    PRIMARY KEY (batch_id, seq)
) STRICT, WITHOUT ROWID;

-- The order of earlier ends is not known, so it is that of the ids. This reads only jobs of batches.
INSERT INTO batch_ends
SELECT batch_id, row_number() OVER (PARTITION BY batch_id ORDER BY id), id
FROM jobs INDEXED BY jobs_batch
WHERE batch_id IS NOT NULL AND finished_at IS NOT NULL AND batch_id IN (SELECT id FROM batches);
