//! The rules of end actions and of deliveries of webhooks.

use crate::store::codes::sql;

/// Webhooks and follow-up jobs can be read, and each follow-up job was inserted after its cause, once.
/// A job that is completed has inserted its own.
pub(super) const END_ACTIONS: &str = sql!("
    WITH actions AS (
        SELECT 'job ' || job_id AS owner, job_id AS last_job, job_id, callback, then_job, then_id FROM end_actions
        UNION ALL
        SELECT 'batch ' || batch_id, (SELECT max(id) FROM jobs WHERE jobs.batch_id = ends.batch_id), NULL,
            callback, then_job, then_id
        FROM batch_end_actions AS ends),
    shared AS (SELECT then_id FROM actions WHERE then_id IS NOT NULL GROUP BY then_id HAVING count(*) > 1),
    columns (name, kind) AS (VALUES ('kind', 'text'), ('lane', 'text'), ('queue', 'text'), ('priority', 'integer'),
        ('run_at', 'text'), ('timeout', 'text'), ('max_attempts', 'integer'), ('backoff', 'object'), ('tags', 'array'))
    SELECT owner || ' ' || fault AS words FROM (SELECT owner, CASE
        WHEN callback IS NULL AND then_job IS NULL THEN 'has neither a callback nor a follow-up job'
        WHEN NOT json_valid(callback) THEN 'has a callback that is not valid JSON'
        WHEN callback IS NOT NULL AND (json_type(callback) != 'object' OR json_type(callback, '$.url') IS NOT 'text'
            OR coalesce(json_type(callback, '$.events'), 'array') != 'array'
            OR EXISTS (SELECT 1 FROM json_each(callback, '$.events')
                WHERE value NOT IN ('job.completed', 'job.failed', 'job.cancelled', 'batch.finished')))
            THEN 'has the invalid callback ' || callback
        WHEN NOT json_valid(then_job) THEN 'has a follow-up job that is not valid JSON'
        WHEN then_job IS NOT NULL AND (json_type(then_job) != 'object' OR json_type(then_job, '$.job.payload') IS NULL
            OR EXISTS (SELECT 1 FROM columns WHERE json_type(then_job, '$.job.' || name) IS NOT kind))
            THEN 'has an invalid follow-up job'
        WHEN then_job IS NULL AND then_id IS NOT NULL
            THEN 'has inserted the follow-up job ' || then_id || ', which it does not have'
        WHEN then_id > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'jobs')
            THEN 'has the follow-up job ' || then_id || ', which was not assigned yet'
        WHEN then_id <= last_job THEN 'has the follow-up job ' || then_id || ', which is older'
        WHEN then_id IN (SELECT then_id FROM shared)
            THEN 'shares the follow-up job ' || then_id || ' with another job or batch'
        WHEN then_id IS NOT NULL AND EXISTS (SELECT 1 FROM jobs WHERE id = job_id AND attempt = 0)
            THEN 'has inserted the follow-up job ' || then_id || ' and has never run'
        WHEN then_job IS NOT NULL AND then_id IS NULL
            AND EXISTS (SELECT 1 FROM jobs WHERE id = job_id AND state = " {Completed} ")
            THEN 'is completed and has not inserted its follow-up job'
        END AS fault FROM actions)
    WHERE fault IS NOT NULL");

/// A delivery is a job of its own kind that was inserted after its cause.
pub(super) const DELIVERIES: &str = "
    SELECT 'delivery ' || id || ' ' || fault AS words FROM (SELECT deliveries.id, CASE
        WHEN (deliveries.job_id IS NULL) = (deliveries.batch_id IS NULL)
            THEN 'is not of either a job or a batch'
        WHEN kind != 'callback' THEN 'is of the kind ' || kind
        WHEN NOT json_valid(payload) OR json_type(payload, '$.url') IS NOT 'text'
            OR json_type(payload, '$.body') IS NOT 'object' THEN 'has no URL or no body'
        WHEN deliveries.id <= deliveries.job_id OR deliveries.id <= (
            SELECT max(other.id) FROM jobs AS other WHERE other.batch_id = deliveries.batch_id)
            THEN 'is older than its cause'
        WHEN deliveries.job_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM end_actions
                WHERE end_actions.job_id = deliveries.job_id AND callback IS NOT NULL)
            OR deliveries.batch_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM batch_end_actions
                WHERE batch_end_actions.batch_id = deliveries.batch_id AND callback IS NOT NULL)
            THEN 'is of a job or batch without a callback'
        WHEN EXISTS (SELECT 1 FROM end_actions WHERE end_actions.job_id = deliveries.id)
            THEN 'has end actions of its own'
        END AS fault FROM deliveries JOIN jobs ON jobs.id = deliveries.id)
    WHERE fault IS NOT NULL";
