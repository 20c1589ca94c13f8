//! The rule of providers and recent starts.

use crate::store::codes::sql;

/// Counts of providers match their jobs, and starts and pauses can be read.
pub(super) const LIMITS: &str = sql!("
    WITH counted AS (
        SELECT provider_id, sum(state = " {Queued} ") AS queued, sum(state = " {Running} ") AS running
        FROM jobs NOT INDEXED WHERE provider_id IS NOT NULL GROUP BY provider_id)
    SELECT 'provider ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN length(name) NOT BETWEEN 1 AND 64 OR name GLOB '*[^a-z0-9._-]*'
            OR name GLOB '[._-]*' THEN 'has the invalid name ' || name
        WHEN kept.queued != coalesce(counted.queued, 0)
            THEN 'counts ' || kept.queued || ' queued jobs and has ' || coalesce(counted.queued, 0)
        WHEN kept.running != coalesce(counted.running, 0)
            THEN 'counts ' || kept.running || ' running jobs and has ' || coalesce(counted.running, 0)
        WHEN trial <= 0 THEN 'has trial ' || trial
        WHEN NOT json_valid(starts) OR json_type(starts) != 'array'
            THEN 'has starts that are not a JSON array'
        WHEN NOT json_valid(pause) OR pause IS NOT NULL AND json_type(pause, '$.until') IS NOT 'text'
            THEN 'has the invalid pause ' || pause
        END AS fault FROM providers AS kept LEFT JOIN counted ON provider_id = id)
    WHERE fault IS NOT NULL
    UNION ALL
    SELECT 'job ' || id || ' has provider ' || provider_id || ', which does not exist'
    FROM jobs NOT INDEXED WHERE provider_id IS NOT NULL AND provider_id NOT IN (SELECT id FROM providers)
    UNION ALL
    SELECT 'queue ' || id || ' has starts that are not a JSON array' FROM queues
    WHERE NOT json_valid(starts) OR json_type(starts) != 'array'
    UNION ALL
    SELECT 'job ' || job_id || ' was deferred ' || deferred || ' times since ' || coalesce(deferred_since, 'never')
    FROM job_extras WHERE deferred < 0 OR (deferred > 0) != (deferred_since IS NOT NULL)");
