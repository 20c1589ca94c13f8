//! The rule of the order in which jobs of batches ended.

/// Each job of a batch that has ended is in the order of its batch, and the ends are numbered without gaps.
pub(super) const BATCH_ENDS: &str = "
    WITH ended AS (SELECT DISTINCT batch_id, job_id FROM batch_ends)
    SELECT 'job ' || jobs.id || ' has ended and is not among the ends of batch ' || jobs.batch_id AS words
    FROM jobs NOT INDEXED LEFT JOIN ended ON ended.job_id = jobs.id AND ended.batch_id = jobs.batch_id
    WHERE jobs.batch_id IS NOT NULL AND jobs.finished_at IS NOT NULL AND ended.job_id IS NULL
    UNION ALL
    SELECT 'the ends of batch ' || ended.batch_id || ' have job ' || job_id || ', which is not of the batch'
    FROM ended JOIN jobs ON jobs.id = job_id WHERE jobs.batch_id IS NOT ended.batch_id
    UNION ALL
    SELECT 'the ends of batch ' || batch_id || ' are numbered up to ' || max(seq) || ' and are ' || count(*)
    FROM batch_ends GROUP BY batch_id HAVING max(seq) != count(*) OR min(seq) != 1";
