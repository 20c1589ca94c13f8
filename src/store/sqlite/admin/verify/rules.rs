//! Rules that the tables satisfy after every transaction, as queries that find violations.
//!
//! Every CHECK of the tables is repeated here: on a read-only connection SQLite's `integrity_check`
//! ignores CHECK constraints, and on others it does not report which row violates one.

use super::api_keys::{API_KEYS, KEY_COUNTS};
use super::batch_ends::BATCH_ENDS;
use super::counts::{BATCHES, QUEUE_COUNTS};
use super::end_actions::{DELIVERIES, END_ACTIONS};
use super::learned_kinds::LEARNED_KINDS;
use super::limits::LIMITS;
use super::webhook_secrets::WEBHOOK_SECRETS;
use crate::store::codes::sql;

/// One rule.
pub(super) struct Rule {
    /// Name of the check.
    pub(super) name: &'static str,
    /// Statement that is true if there is no fault.
    pub(super) holds: &'static str,
    /// Table whose rows are checked; `None` if the check reads the whole file.
    pub(super) table: Option<&'static str>,
    /// Version of the migration that the query needs.
    pub(super) needs: Option<&'static str>,
    /// Query that returns a row with the column `words` for each fault.
    pub(super) faults: &'static str,
}

const fn of_table(
    name: &'static str,
    table: &'static str,
    holds: &'static str,
    faults: &'static str,
) -> Rule {
    Rule { name, holds, table: Some(table), needs: None, faults }
}

const fn of_file(name: &'static str, holds: &'static str, faults: &'static str) -> Rule {
    Rule { name, holds, table: None, needs: None, faults }
}

/// Version of the migration that created `attempts` and `job_extras`.
const ATTEMPTS_MIGRATION: &str = "20261127100000";

/// Version of the migration that created `providers`.
const LIMITS_MIGRATION: &str = "20261128020000";

/// Version of the migration that created `end_actions` and `deliveries`.
const END_ACTIONS_MIGRATION: &str = "20261130010000";

/// All rules, in the order in which they are checked and printed.
pub(super) const RULES: &[Rule] = &[
    of_file("integrity", "SQLite finds no damage in the file", INTEGRITY),
    of_file("references", "every reference points to an existing row", REFERENCES),
    of_table("states", "jobs", "each job is in a valid state", STATES),
    of_table("leases", "jobs", "leases, tokens and attempts of jobs agree", LEASES),
    Rule {
        needs: Some(ATTEMPTS_MIGRATION),
        ..of_table("settings", "jobs", "the settings of jobs are within their bounds", SETTINGS)
    },
    of_table("payloads", "jobs", "payloads are valid JSON", PAYLOADS),
    of_table("results", "results", "completed jobs, and no others, have a result", RESULTS),
    Rule {
        needs: Some(LIMITS_MIGRATION),
        ..of_table("attempts", "attempts", "attempts agree with their jobs", ATTEMPTS)
    },
    Rule {
        needs: Some(ATTEMPTS_MIGRATION),
        ..of_table("extras", "job_extras", "seldom-read columns of jobs are valid", EXTRAS)
    },
    of_table("tags", "job_tags", "the index of tags matches the tags of the jobs", TAGS),
    of_table("queues", "queues", "queues have valid names and settings", QUEUES),
    of_table("queue counts", "queue_counts", "the counts of queues match their jobs", QUEUE_COUNTS),
    Rule {
        needs: Some(LIMITS_MIGRATION),
        ..of_table("limits", "providers", "providers and recent starts match the jobs", LIMITS)
    },
    Rule {
        needs: Some("20261201040000"),
        ..of_table(
            "batches",
            "batches",
            "the counts and end times of batches match their jobs",
            BATCHES,
        )
    },
    Rule {
        needs: Some("20261201030000"),
        ..of_table(
            "batch ends",
            "batch_ends",
            "the ends of the jobs of batches are recorded in order",
            BATCH_ENDS,
        )
    },
    Rule {
        needs: Some(ATTEMPTS_MIGRATION),
        ..of_table(
            "keys",
            "submissions",
            "each idempotency key refers to the jobs of one submission",
            KEYS,
        )
    },
    Rule {
        needs: Some("20261122120000"),
        ..of_table(
            "workers",
            "remote_leases",
            "only jobs in the remote lane have a worker",
            WORKERS,
        )
    },
    of_table("ids", "sqlite_sequence", "no id can be assigned twice", IDS),
    Rule {
        needs: Some("20261122130000"),
        ..of_table("epoch", "epoch", "there is one epoch, with valid tokens", EPOCH)
    },
    Rule {
        needs: Some("20261129010000"),
        ..of_table("api keys", "api_keys", "API keys have valid names and scopes", API_KEYS)
    },
    Rule {
        needs: Some("20261129020000"),
        ..of_table("key counts", "api_keys", "the counts of API keys match their jobs", KEY_COUNTS)
    },
    Rule {
        needs: Some(END_ACTIONS_MIGRATION),
        ..of_table(
            "end actions",
            "end_actions",
            "each follow-up job was inserted once, after its cause",
            END_ACTIONS,
        )
    },
    Rule {
        needs: Some(END_ACTIONS_MIGRATION),
        ..of_table(
            "deliveries",
            "deliveries",
            "each delivery has a cause and a webhook",
            DELIVERIES,
        )
    },
    Rule {
        needs: Some("20261130020000"),
        ..of_table(
            "webhook secrets",
            "webhook_secrets",
            "webhook secrets have valid names and values",
            WEBHOOK_SECRETS,
        )
    },
    Rule {
        needs: Some("20261201020000"),
        ..of_table(
            "learned kinds",
            "learned_kinds",
            "learned kinds have valid names and queues",
            LEARNED_KINDS,
        )
    },
    Rule {
        needs: Some("20261122150000"),
        ..of_table("logs", "logs", "logs have valid sizes", LOGS)
    },
    Rule {
        needs: Some("20261122150000"),
        ..of_table("charts", "time_buckets", "the counters for charts are valid", TIME_BUCKETS)
    },
];

const INTEGRITY: &str = "
    SELECT integrity_check AS words FROM pragma_integrity_check WHERE integrity_check != 'ok'";

const REFERENCES: &str = "
    SELECT \"table\" || coalesce(' row ' || rowid, '') || ' refers to a missing row of ' || parent AS words
    FROM pragma_foreign_key_check";

const STATES: &str = sql!("
    SELECT 'job ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN state NOT BETWEEN " {Scheduled} " AND " {Cancelled} " THEN 'is in state ' || state
        WHEN lane NOT BETWEEN " {Async} " AND " {Remote} " THEN 'is in lane ' || lane
        WHEN state < " {Completed} " AND finished_at IS NOT NULL THEN 'has finished_at and has not ended'
        WHEN state >= " {Completed} " AND finished_at IS NULL THEN 'has ended and has no finished_at'
        WHEN cancel_requested NOT IN (0, 1) THEN 'has cancel_requested ' || cancel_requested
        WHEN cancel_requested = 1 AND state != " {Running} " THEN 'has cancel_requested and is not running'
        WHEN (error_code IS NULL) != (error_message IS NULL) THEN 'has only one of error_code and error_message'
        WHEN state IN (" {Retrying} ", " {Failed} ", " {Cancelled} ") AND error_code IS NULL THEN 'is retrying, failed or cancelled and has no error'
        WHEN state = " {Completed} " AND error_code IS NOT NULL THEN 'is completed and has an error'
        END AS fault FROM jobs NOT INDEXED)
    WHERE fault IS NOT NULL");

/// Each lease raises the token, and at most one attempt runs under a token.
const LEASES: &str = sql!("
    SELECT 'job ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN lease_token NOT BETWEEN 0 AND 9007199254740991 THEN 'has the token ' || lease_token
        WHEN state = " {Running} " AND lease_expires_at IS NULL THEN 'is running and has no lease'
        WHEN state != " {Running} " AND lease_expires_at IS NOT NULL THEN 'has a lease and is not running'
        WHEN state NOT IN (" {Scheduled} ", " {Queued} ", " {Cancelled} ") AND lease_token = 0 THEN 'has run and has lease_token 0'
        WHEN state = " {Scheduled} " AND error_code IS NOT NULL THEN 'is scheduled and has an error'
        WHEN state = " {Running} " AND attempt = 0 THEN 'is running and has attempt 0'
        WHEN attempt > 0 AND started_at IS NULL THEN 'has an attempt and no started_at'
        WHEN lease_token = 0 AND started_at IS NOT NULL THEN 'has started_at and was never leased'
        WHEN attempt NOT BETWEEN 0 AND max_attempts
            THEN 'is at attempt ' || attempt || ' of ' || max_attempts
        WHEN state = " {Running} " AND lane = " {Remote} " AND lease_expires_at > started_at + timeout_ms
            THEN 'is leased for longer than its timeout'
        WHEN attempt > lease_token
            THEN 'is at attempt ' || attempt || ' and has only lease_token ' || lease_token
        END AS fault FROM jobs NOT INDEXED)
    WHERE fault IS NOT NULL");

const SETTINGS: &str = "
    SELECT 'job ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN priority NOT BETWEEN -100 AND 100 THEN 'has priority ' || priority
        WHEN max_attempts <= 0 THEN 'has max_attempts ' || max_attempts
        WHEN at_most_once NOT IN (0, 1) THEN 'has at_most_once ' || at_most_once
        WHEN timeout_ms <= 0 THEN 'has timeout_ms ' || timeout_ms
        WHEN backoff IS NOT NULL AND NOT json_valid(backoff) THEN 'has a backoff that is not valid JSON'
        WHEN json_type(backoff) != 'array' OR json_array_length(backoff) != 5
            OR json_type(backoff, '$[0]') != 'integer' OR json_type(backoff, '$[1]') != 'real'
            OR json_type(backoff, '$[2]') != 'integer' OR json_type(backoff, '$[3]') != 'real'
            OR json_type(backoff, '$[4]') != 'integer' THEN 'has the invalid backoff ' || backoff
        WHEN backoff ->> 0 < 0 OR backoff ->> 2 < backoff ->> 0
            THEN 'has a backoff from ' || (backoff ->> 0) || ' to ' || (backoff ->> 2) || ' ms'
        WHEN backoff ->> 1 < 1 THEN 'has the backoff factor ' || (backoff ->> 1)
        WHEN backoff ->> 3 NOT BETWEEN 0 AND 1 THEN 'has the backoff jitter ' || (backoff ->> 3)
        WHEN backoff ->> 4 < 0 THEN 'has the max_retry_after ' || (backoff ->> 4)
        WHEN progress_percent NOT BETWEEN 0 AND 100 THEN 'has progress_percent ' || progress_percent
        WHEN kind = '' THEN 'has no kind'
        END AS fault FROM jobs NOT INDEXED)
    WHERE fault IS NOT NULL";

const PAYLOADS: &str = "
    SELECT 'the payload of job ' || id || ' is not valid JSON' AS words
    FROM jobs NOT INDEXED WHERE NOT json_valid(payload)";

const RESULTS: &str = sql!("
    SELECT 'job ' || id || ' is completed and has no result' AS words FROM jobs NOT INDEXED
    WHERE state = " {Completed} " AND NOT EXISTS (SELECT 1 FROM results WHERE job_id = jobs.id)
    UNION ALL
    SELECT 'job ' || job_id || ' has a result and is not completed' FROM results
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = job_id AND state = " {Completed} ")
    UNION ALL
    SELECT 'the result of job ' || job_id || ' is not valid JSON' FROM results
    WHERE NOT json_valid(result)
    UNION ALL
    SELECT 'the result of job ' || job_id || ' has truncated ' || truncated FROM results
    WHERE truncated NOT IN (0, 1)");

/// The numbers of a job's attempts rise with their tokens. A failed job has a failed attempt under its
/// latest lease, and so has a retrying one, unless its latest attempt did not count; a running one has none,
/// and a completed one at most a completed one.
const ATTEMPTS: &str = sql!("
    SELECT 'job ' || job_id || ' ' || fault AS words FROM (SELECT job_id, CASE
        WHEN attempts.state NOT BETWEEN " {Completed} " AND " {Cancelled} "
            THEN 'has an attempt in state ' || attempts.state
        WHEN (code IS NULL) != (message IS NULL) OR (code IS NULL) != (attempts.state = " {Completed} ")
            THEN 'has an attempt in state ' || attempts.state || ' with the code ' || coalesce(code, 'NULL')
        WHEN attempts.lease_token NOT BETWEEN 1 AND jobs.lease_token
            THEN 'has an attempt with token ' || attempts.lease_token || ', its latest is '
                || jobs.lease_token
        WHEN attempts.attempt NOT BETWEEN 1 AND jobs.attempt
            THEN 'has the attempt ' || attempts.attempt || ', its latest is ' || jobs.attempt
        WHEN attempts.lease_token = jobs.lease_token AND jobs.state = " {Running} "
            THEN 'is running and its latest attempt has ended'
        WHEN attempts.lease_token = jobs.lease_token AND jobs.state = " {Completed} "
            AND attempts.state != " {Completed} " THEN 'is completed and its latest attempt is not'
        WHEN attempts.attempt <= lag(attempts.attempt)
            OVER (PARTITION BY job_id ORDER BY attempts.lease_token)
            THEN 'has attempts out of order at attempt ' || attempts.attempt
        WHEN NOT json_valid(coalesce(detail, '{}'))
            THEN 'has a detail of attempt ' || attempts.attempt || ' that is not valid JSON'
        END AS fault FROM attempts JOIN jobs ON jobs.id = job_id)
    WHERE fault IS NOT NULL
    UNION ALL
    SELECT 'job ' || id || ' is retrying or failed and its latest attempt is not failed' FROM jobs NOT INDEXED
    WHERE state IN (" {Retrying} ", " {Failed} ") AND NOT EXISTS (
        SELECT 1 FROM attempts WHERE job_id = jobs.id AND lease_token = jobs.lease_token
            AND attempts.state = " {Failed} ")
        AND NOT (state = " {Retrying} " AND (attempt = 0 OR EXISTS (
            SELECT 1 FROM job_extras WHERE job_id = jobs.id AND deferred > 0)
            OR EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND attempts.attempt = jobs.attempt)))");

const EXTRAS: &str = "
    SELECT 'job ' || job_id || ' ' || fault AS words FROM (SELECT job_id, CASE
        WHEN attempts_granted <= 0 THEN 'has attempts_granted ' || attempts_granted
        WHEN truncate_result NOT IN (0, 1) THEN 'has truncate_result ' || truncate_result
        WHEN metadata IS NOT NULL AND NOT json_valid(metadata) THEN 'has metadata that is not valid JSON'
        WHEN json_type(metadata) != 'object' THEN 'has metadata that is not an object'
        END AS fault FROM job_extras)
    WHERE fault IS NOT NULL";

const TAGS: &str = "
    WITH shown AS (
        SELECT id, CASE WHEN json_valid(tags) THEN tags ELSE '[]' END AS list
        FROM jobs NOT INDEXED WHERE tags IS NOT NULL)
    SELECT 'the tags of job ' || id || ' are not a JSON array' AS words FROM jobs NOT INDEXED
    WHERE tags IS NOT NULL
        AND CASE WHEN json_valid(tags) THEN json_type(tags) != 'array' ELSE TRUE END
    UNION ALL
    SELECT 'job ' || shown.id || ' is missing in the index of tags with ' || value FROM shown, json_each(list)
    WHERE NOT EXISTS (SELECT 1 FROM job_tags WHERE tag = value AND job_id = shown.id)
    UNION ALL
    SELECT 'job ' || job_id || ' is in the index of tags with ' || tag || ', which it does not have'
    FROM job_tags
    WHERE NOT EXISTS (
        SELECT 1 FROM jobs, json_each(CASE WHEN json_valid(tags) THEN tags ELSE '[]' END)
        WHERE jobs.id = job_tags.job_id AND value = job_tags.tag)";

const QUEUES: &str = "
    SELECT 'queue ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN length(name) NOT BETWEEN 1 AND 64 OR name GLOB '*[^a-z0-9._-]*'
            OR name GLOB '[._-]*' THEN 'has the invalid name ' || name
        WHEN paused NOT IN (0, 1) THEN 'has paused ' || paused
        WHEN max_running <= 0 THEN 'has max_running ' || max_running
        WHEN (rate_limit IS NULL) != (rate_period_ms IS NULL) THEN 'has only one of rate_limit and rate_period_ms'
        WHEN rate_limit <= 0 OR rate_period_ms <= 0
            THEN 'has the rate ' || rate_limit || ' in ' || rate_period_ms || ' ms'
        END AS fault FROM queues)
    WHERE fault IS NOT NULL";

const KEYS: &str = "
    SELECT 'the key of jobs from ' || first_job_id || ' on ' || fault AS words FROM (
        SELECT first_job_id, CASE
        WHEN jobs <= 0 THEN 'has ' || jobs || ' jobs'
        WHEN by_value NOT IN (0, 1) THEN 'has by_value ' || by_value
        WHEN length(fingerprint) != 32 THEN 'has a fingerprint that is not 32 bytes long'
        WHEN first_job_id > 0 AND NOT EXISTS (SELECT 1 FROM jobs WHERE id >= first_job_id
            AND id < first_job_id + submissions.jobs) THEN 'still exists although these are removed'
        WHEN first_job_id <= 0 AND first_job_id IS NOT -batch_id
            THEN 'is of no jobs and not of its batch ' || coalesce(batch_id, 'NULL')
        WHEN first_job_id <= 0 AND NOT EXISTS (SELECT 1 FROM batches WHERE id = batch_id)
            THEN 'still exists although its batch is removed'
        WHEN EXISTS (SELECT 1 FROM jobs WHERE id >= first_job_id
            AND id < first_job_id + submissions.jobs AND batch_id IS NOT submissions.batch_id)
            THEN 'has another batch than these'
        WHEN EXISTS (SELECT 1 FROM submissions AS other
            WHERE other.first_job_id >= submissions.first_job_id
                AND other.first_job_id < submissions.first_job_id + submissions.jobs
                AND (other.key_id, other.idempotency_key)
                    != (submissions.key_id, submissions.idempotency_key))
            THEN 'shares some of these with another key'
        END AS fault FROM submissions)
    WHERE fault IS NOT NULL";

const WORKERS: &str = sql!("
    SELECT 'job ' || job_id || ' ' || fault AS words FROM (SELECT job_id, CASE
        WHEN lane != " {Remote} " THEN 'has a worker and is in lane ' || lane
        WHEN lease_token = 0 THEN 'has a worker and was never leased'
        WHEN length(worker) NOT BETWEEN 1 AND 128 THEN 'has a worker name that is not 1 to 128 characters long'
        END AS fault FROM remote_leases JOIN jobs ON jobs.id = job_id)
    WHERE fault IS NOT NULL");

const LOGS: &str = "
    SELECT 'the log of job ' || job_id || ' is longer than its total' AS words
    FROM logs WHERE total < octet_length(text)";

const TIME_BUCKETS: &str = "
    SELECT 'queue ' || queue_id || ' at ' || began_at || ' ' || fault AS words FROM (
        SELECT queue_id, began_at, CASE
        WHEN min(submitted, started, completed, failed, cancelled, retried, waiting, running) < 0
            THEN 'has a negative counter'
        WHEN NOT json_valid(start) OR NOT json_valid(run) THEN 'has a histogram that is not valid JSON'
        WHEN json_type(start) != 'array' OR json_type(run) != 'array'
            THEN 'has a histogram that is not an array'
        END AS fault FROM time_buckets)
    WHERE fault IS NOT NULL";

const IDS: &str = "
    SELECT 'a job has the id ' || max(id) || ', which was not assigned yet' AS words FROM jobs
    HAVING max(id) > coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'jobs'), 0)
    UNION ALL
    SELECT 'a batch has the id ' || max(id) || ', which was not assigned yet' FROM batches
    HAVING max(id) > coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'batches'), 0)
    UNION ALL
    SELECT 'a key refers to job ' || max(first_job_id + jobs - 1) || ', which was not assigned yet'
    FROM submissions HAVING max(first_job_id + jobs - 1)
        > coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'jobs'), 0)";

const EPOCH: &str = "
    SELECT 'there are ' || count(*) || ' epochs' AS words FROM epoch HAVING count(*) != 1
    UNION ALL
    SELECT 'the epoch has the id ' || id FROM epoch WHERE id != 1
    UNION ALL
    SELECT 'the epoch has the invalid token_floor ' || token_floor FROM epoch
    WHERE token_floor NOT BETWEEN 0 AND 4503599627370496";
