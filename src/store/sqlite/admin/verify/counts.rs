//! The rules of the counts of queues and batches.

use crate::store::codes::sql;

/// The counts of a queue are those of its jobs, and as many have entered each final state.
pub(super) const QUEUE_COUNTS: &str = sql!("
    WITH states (state, word) AS (VALUES (" {Scheduled} ", 'scheduled'), (" {Queued} ", 'queued'), (" {Running} ", 'running'),
            (" {Retrying} ", 'retrying'), (" {Completed} ", 'completed'), (" {Failed} ", 'failed'), (" {Cancelled} ", 'cancelled')),
        counted AS (
            SELECT queue_id, state, count(*) AS jobs FROM jobs NOT INDEXED GROUP BY 1, 2)
    SELECT 'queue ' || name || ' counts ' || coalesce(kept.jobs, 'no') || ' ' || word
        || ' jobs and has ' || coalesce(counted.jobs, 0) AS words
    FROM queues CROSS JOIN states
        LEFT JOIN queue_counts AS kept ON kept.queue_id = queues.id AND kept.state = states.state
        LEFT JOIN counted ON counted.queue_id = queues.id AND counted.state = states.state
    WHERE kept.jobs IS NOT coalesce(counted.jobs, 0)
    UNION ALL
    SELECT 'queue ' || name || ' counts ' || entered || ' jobs that ever became ' || word
        || ' and has ' || jobs
    FROM queues JOIN queue_counts ON queue_id = queues.id JOIN states USING (state)
    WHERE state >= " {Completed} " AND entered < jobs OR entered < 0
    UNION ALL
    SELECT 'queue ' || queue_id || ' has a count for the invalid state ' || state FROM queue_counts
    WHERE state NOT BETWEEN " {Scheduled} " AND " {Cancelled} "");

/// A removed job, which is always final, remains counted; all other counts match the jobs exactly. A batch may have
/// no jobs: it was submitted without any, or they were removed while it was open.
pub(super) const BATCHES: &str = sql!("
    WITH counted AS (
        SELECT batch_id, sum(state = " {Scheduled} ") AS scheduled, sum(state = " {Queued} ") AS queued,
            sum(state = " {Running} ") AS running, sum(state = " {Retrying} ") AS retrying, sum(state = " {Completed} ") AS completed,
            sum(state = " {Failed} ") AS failed, sum(state = " {Cancelled} ") AS cancelled
        FROM jobs NOT INDEXED WHERE batch_id IS NOT NULL GROUP BY batch_id)
    SELECT 'batch ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN total = 0 AND batch_id IS NOT NULL THEN 'has the total 0 and has jobs'
        WHEN kept.scheduled != coalesce(counted.scheduled, 0)
            THEN 'counts ' || kept.scheduled || ' scheduled jobs and has ' || coalesce(counted.scheduled, 0)
        WHEN kept.queued != coalesce(counted.queued, 0)
            THEN 'counts ' || kept.queued || ' queued jobs and has ' || coalesce(counted.queued, 0)
        WHEN kept.running != coalesce(counted.running, 0)
            THEN 'counts ' || kept.running || ' running jobs and has ' || coalesce(counted.running, 0)
        WHEN kept.retrying != coalesce(counted.retrying, 0)
            THEN 'counts ' || kept.retrying || ' retrying jobs and has ' || coalesce(counted.retrying, 0)
        WHEN kept.completed < coalesce(counted.completed, 0)
            THEN 'counts ' || kept.completed || ' completed jobs and has ' || coalesce(counted.completed, 0)
        WHEN kept.failed < coalesce(counted.failed, 0)
            THEN 'counts ' || kept.failed || ' failed jobs and has ' || coalesce(counted.failed, 0)
        WHEN kept.cancelled < coalesce(counted.cancelled, 0)
            THEN 'counts ' || kept.cancelled || ' cancelled jobs and has ' || coalesce(counted.cancelled, 0)
        WHEN total != kept.scheduled + kept.queued + kept.running + kept.retrying
            + kept.completed + kept.failed + kept.cancelled THEN 'has counts that do not add up to its total ' || total
        WHEN finished_at IS NULL AND open_until IS NULL
            AND kept.scheduled + kept.queued + kept.running + kept.retrying = 0
            THEN 'has ended and has no finished_at'
        WHEN finished_at IS NOT NULL AND open_until IS NOT NULL THEN 'has finished_at and is open'
        WHEN finished_at IS NOT NULL
            AND kept.scheduled + kept.queued + kept.running + kept.retrying > 0
            THEN 'has finished_at and has not ended'
        END AS fault FROM batches AS kept LEFT JOIN counted ON batch_id = id)
    WHERE fault IS NOT NULL");
