//! Faults that `longshore verify` must find.

/// SQL that corrupts the sample, the check that must find the fault, and a part of its description.
pub(super) const FAULTS: &[(&str, &str, &str)] = &[
    // The state of a job.
    ("UPDATE jobs SET state = 7 WHERE id = 2", "states", "job 2 is in state 7"),
    ("UPDATE jobs SET lane = 4 WHERE id = 2", "states", "job 2 is in lane 4"),
    ("UPDATE jobs SET finished_at = 5 WHERE id = 2", "states", "job 2 has finished_at and has not"),
    (
        "UPDATE jobs SET finished_at = NULL WHERE id = 5",
        "states",
        "job 5 has ended and has no finished_at",
    ),
    ("UPDATE jobs SET cancel_requested = 2 WHERE id = 3", "states", "has cancel_requested 2"),
    (
        "UPDATE jobs SET cancel_requested = 1 WHERE id = 2",
        "states",
        "job 2 has cancel_requested and is not",
    ),
    ("UPDATE jobs SET error_code = 'x' WHERE id = 2", "states", "job 2 has only one of error_code"),
    (
        "UPDATE jobs SET error_code = NULL, error_message = NULL WHERE id = 6",
        "states",
        "job 6 is retrying, failed or cancelled and has no error",
    ),
    (
        "UPDATE jobs SET error_code = 'x', error_message = 'y' WHERE id = 5",
        "states",
        "job 5 is completed and has an error",
    ),
    // Leases, tokens, attempts.
    ("UPDATE jobs SET lease_token = -1 WHERE id = 1", "leases", "job 1 has the token -1"),
    ("UPDATE jobs SET lease_token = 1 << 53 WHERE id = 2", "leases", "has the token 9007"),
    (
        "UPDATE jobs SET lease_expires_at = NULL WHERE id = 3",
        "leases",
        "job 3 is running and has no lease",
    ),
    ("UPDATE jobs SET lease_expires_at = 5 WHERE id = 2", "leases", "job 2 has a lease and is not"),
    (
        "UPDATE jobs SET lease_token = 0 WHERE id = 5",
        "leases",
        "job 5 has run and has lease_token 0",
    ),
    ("UPDATE jobs SET attempt = 0 WHERE id = 8", "leases", "job 8 is running and has attempt 0"),
    (
        "UPDATE jobs SET started_at = NULL WHERE id = 9",
        "leases",
        "job 9 has an attempt and no started_at",
    ),
    ("UPDATE jobs SET started_at = 5 WHERE id = 2", "leases", "job 2 has started_at and was never"),
    ("UPDATE jobs SET attempt = 4, lease_token = 9 WHERE id = 5", "leases", "attempt 4 of 3"),
    ("UPDATE jobs SET attempt = -1 WHERE id = 2", "leases", "job 2 is at attempt -1 of 3"),
    ("UPDATE jobs SET attempt = 2 WHERE id = 5", "leases", "attempt 2 and has only lease_token 1"),
    // Settings of jobs.
    ("UPDATE jobs SET priority = 101 WHERE id = 2", "settings", "job 2 has priority 101"),
    ("UPDATE jobs SET max_attempts = 0 WHERE id = 2", "settings", "job 2 has max_attempts 0"),
    ("UPDATE jobs SET at_most_once = 2 WHERE id = 2", "settings", "job 2 has at_most_once 2"),
    ("UPDATE jobs SET timeout_ms = 0 WHERE id = 2", "settings", "job 2 has timeout_ms 0"),
    ("UPDATE jobs SET backoff = '[' WHERE id = 2", "settings", "a backoff that is not valid JSON"),
    ("UPDATE jobs SET backoff = '[1]' WHERE id = 2", "settings", "has the invalid backoff [1]"),
    ("UPDATE jobs SET backoff = '{}' WHERE id = 2", "settings", "has the invalid backoff {}"),
    ("UPDATE jobs SET backoff = '[-1,2.0,5,0.2,0]' WHERE id = 2", "settings", "a backoff from -1"),
    ("UPDATE jobs SET backoff = '[9,2.0,5,0.2,0]' WHERE id = 2", "settings", "from 9 to 5 ms"),
    ("UPDATE jobs SET backoff = '[1,0.5,5,0.2,0]' WHERE id = 2", "settings", "backoff factor 0.5"),
    ("UPDATE jobs SET backoff = '[1,2.0,5,2.0,0]' WHERE id = 2", "settings", "backoff jitter 2.0"),
    ("UPDATE jobs SET backoff = '[1,2.0,5,0.2,-1]' WHERE id = 2", "settings", "max_retry_after -1"),
    ("UPDATE jobs SET progress_percent = 101 WHERE id = 3", "settings", "has progress_percent 101"),
    ("UPDATE jobs SET kind = '' WHERE id = 2", "settings", "job 2 has no kind"),
    (
        "UPDATE jobs SET payload = '{' WHERE id = 2",
        "payloads",
        "the payload of job 2 is not valid JSON",
    ),
    // Results and attempts.
    ("DELETE FROM results WHERE job_id = 5", "results", "job 5 is completed and has no result"),
    ("INSERT INTO results VALUES (2, 0, '1')", "results", "job 2 has a result and is not"),
    ("UPDATE results SET truncated = 2", "results", "the result of job 5 has truncated 2"),
    (
        "UPDATE results SET result = '[' WHERE job_id = 5",
        "results",
        "result of job 5 is not valid JSON",
    ),
    ("UPDATE results SET job_id = 99 WHERE job_id = 5", "results", "job 99 has a result and"),
    (
        "UPDATE attempts SET lease_token = 2 WHERE job_id = 4",
        "attempts",
        "token 2, its latest is 1",
    ),
    (
        "UPDATE attempts SET lease_token = 0 WHERE job_id = 4",
        "attempts",
        "token 0, its latest is 1",
    ),
    ("UPDATE attempts SET attempt = 2 WHERE job_id = 4", "attempts", "attempt 2, its latest is 1"),
    ("UPDATE attempts SET attempt = 0 WHERE job_id = 4", "attempts", "attempt 0, its latest is 1"),
    (
        "INSERT INTO logs VALUES (99, 1, 'a')",
        "references",
        "logs row 99 refers to a missing row of jobs",
    ),
    (
        "INSERT INTO attempts VALUES (3, 1, 1, 5, 1, 5, NULL, 'a', 'b', NULL)",
        "attempts",
        "job 3 is running and its latest attempt has ended",
    ),
    (
        "INSERT INTO attempts VALUES (5, 1, 1, 5, 1, 5, NULL, 'a', 'b', NULL)",
        "attempts",
        "job 5 is completed and its latest attempt is not",
    ),
    (
        "UPDATE jobs SET lease_token = 2 WHERE id = 4;
         INSERT INTO attempts VALUES (4, 2, 1, 5, 1, 5, NULL, 'a', 'b', NULL)",
        "attempts",
        "job 4 has attempts out of order at attempt 1",
    ),
    (
        "UPDATE attempts SET state = 3 WHERE job_id = 4",
        "attempts",
        "job 4 has an attempt in state 3",
    ),
    ("UPDATE attempts SET code = NULL WHERE job_id = 4", "attempts", "state 5 with the code NULL"),
    ("UPDATE attempts SET detail = '{' WHERE job_id = 4", "attempts", "a detail of attempt 1 that"),
    (
        "INSERT INTO job_extras (job_id, attempts_granted) VALUES (2, 0)",
        "extras",
        "job 2 has attempts_granted 0",
    ),
    (
        "INSERT INTO job_extras (job_id, truncate_result) VALUES (2, 2)",
        "extras",
        "job 2 has truncate_result 2",
    ),
    (
        "INSERT INTO job_extras (job_id, metadata) VALUES (2, '[]')",
        "extras",
        "job 2 has metadata that is not an object",
    ),
    (
        "UPDATE jobs SET error_code = 'a', error_message = 'b' WHERE id = 1",
        "leases",
        "has an error",
    ),
    (
        "DELETE FROM attempts WHERE job_id = 6",
        "attempts",
        "job 6 is retrying or failed and its latest attempt is not failed",
    ),
    (
        "DELETE FROM attempts WHERE job_id = 4",
        "attempts",
        "job 4 is retrying or failed and its latest attempt is not failed",
    ),
    // The index of tags.
    (
        "DELETE FROM job_tags WHERE tag = 'red'",
        "tags",
        "job 9 is missing in the index of tags with red",
    ),
    (
        "INSERT INTO job_tags VALUES ('green', 9)",
        "tags",
        "job 9 is in the index of tags with green",
    ),
    (
        "INSERT INTO job_tags VALUES ('green', 99)",
        "tags",
        "job 99 is in the index of tags with green",
    ),
    ("UPDATE jobs SET tags = 'red' WHERE id = 9", "tags", "the tags of job 9 are not a JSON array"),
    (
        "UPDATE jobs SET tags = '{\"a\": \"red\"}' WHERE id = 9",
        "tags",
        "tags of job 9 are not a JSON array",
    ),
    // Queues and their counts.
    ("UPDATE queues SET name = 'Mail' WHERE id = 1", "queues", "queue 1 has the invalid name Mail"),
    ("UPDATE queues SET name = '-a' WHERE id = 1", "queues", "queue 1 has the invalid name -a"),
    ("UPDATE queues SET name = '' WHERE id = 1", "queues", "queue 1 has the invalid name"),
    ("UPDATE queues SET paused = 2", "queues", "queue 1 has paused 2"),
    ("UPDATE queues SET max_running = 0", "queues", "queue 1 has max_running 0"),
    ("UPDATE queues SET rate_limit = 5", "queues", "queue 1 has only one of rate_limit"),
    ("UPDATE queues SET rate_limit = 0, rate_period_ms = 5", "queues", "has the rate 0 in 5 ms"),
    (
        "UPDATE queue_counts SET jobs = jobs + 1 WHERE state = 1",
        "queue counts",
        "queue default counts 4 queued jobs and has 3",
    ),
    ("UPDATE queue_counts SET jobs = -1 WHERE state = 0", "queue counts", "counts -1 scheduled"),
    (
        "UPDATE queue_counts SET entered = 0 WHERE state = 4",
        "queue counts",
        "queue default counts 0 jobs that ever became completed",
    ),
    (
        "DELETE FROM queue_counts WHERE state = 2",
        "queue counts",
        "counts no running jobs and has 2",
    ),
    ("UPDATE jobs SET state = 1, lease_expires_at = NULL WHERE id = 8", "queue counts", "running"),
    (
        "INSERT INTO queue_counts VALUES (1, 7, 0, 0)",
        "queue counts",
        "queue 1 has a count for the invalid state 7",
    ),
    // Providers, recent starts and deferrals.
    (
        "UPDATE providers SET name = 'Fast' WHERE id = 1",
        "limits",
        "provider 1 has the invalid name Fast",
    ),
    ("UPDATE providers SET queued = 1", "limits", "provider 1 counts 1 queued jobs and has 0"),
    ("UPDATE providers SET running = 1", "limits", "provider 1 counts 1 running jobs and has 0"),
    ("UPDATE jobs SET provider_id = 1 WHERE id = 2", "limits", "counts 0 queued jobs and has 1"),
    ("UPDATE jobs SET provider_id = 1 WHERE id = 3", "limits", "counts 0 running jobs and has 1"),
    ("UPDATE jobs SET provider_id = 99 WHERE id = 5", "limits", "job 5 has provider 99, which"),
    ("UPDATE providers SET trial = 0", "limits", "provider 1 has trial 0"),
    ("UPDATE providers SET starts = '['", "limits", "provider 1 has starts that are not a JSON"),
    ("UPDATE providers SET starts = '{}'", "limits", "provider 1 has starts that are not a JSON"),
    ("UPDATE providers SET pause = '['", "limits", "provider 1 has the invalid pause ["),
    ("UPDATE providers SET pause = '{}'", "limits", "provider 1 has the invalid pause {}"),
    ("UPDATE queues SET starts = '1'", "limits", "queue 1 has starts that are not a JSON array"),
    (
        "INSERT INTO job_extras (job_id, deferred) VALUES (2, -1)",
        "limits",
        "job 2 was deferred -1 times since never",
    ),
    (
        "INSERT INTO job_extras (job_id, deferred) VALUES (2, 3)",
        "limits",
        "job 2 was deferred 3 times since never",
    ),
    // Idempotency keys.
    ("UPDATE submissions SET jobs = 0", "keys", "jobs from 9 on has 0 jobs"),
    (
        "UPDATE submissions SET fingerprint = x'00'",
        "keys",
        "has a fingerprint that is not 32 bytes",
    ),
    (
        "DELETE FROM jobs WHERE id IN (9, 10)",
        "keys",
        "jobs from 9 on still exists although these are removed",
    ),
    ("UPDATE submissions SET batch_id = NULL", "keys", "has another batch than these"),
    (
        "INSERT INTO submissions VALUES (0, 'l', 0, zeroblob(32), 10, 1, 1, 0)",
        "keys",
        "jobs from 9 on shares some of these with another key",
    ),
    // Remote workers.
    ("UPDATE jobs SET timeout_ms = 1 WHERE id = 8", "leases", "job 8 is leased for longer than"),
    ("UPDATE remote_leases SET job_id = 3", "workers", "job 3 has a worker and is in lane 0"),
    ("UPDATE remote_leases SET worker = ''", "workers", "a worker name that is not 1 to 128"),
    (
        "UPDATE jobs SET lease_token = 0 WHERE id = 8",
        "workers",
        "job 8 has a worker and was never leased",
    ),
    // Ids above the AUTOINCREMENT counters.
    ("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'jobs'", "ids", "a job has the id 14"),
    ("DELETE FROM sqlite_sequence WHERE name = 'batches'", "ids", "a batch has the id 1"),
    ("UPDATE submissions SET jobs = 10", "ids", "a key refers to job 18"),
    // API keys.
    ("UPDATE api_keys SET unfinished = 9", "key counts", "counts 9 unfinished jobs and has 0"),
    ("UPDATE api_keys SET name = ''", "api keys", "api key 1 has an invalid name"),
    ("UPDATE api_keys SET name = ' a'", "api keys", "api key 1 has an invalid name"),
    ("UPDATE api_keys SET digest = x'00'", "api keys", "api key 1 has a digest of 1 bytes"),
    ("UPDATE api_keys SET scopes = '['", "api keys", "has scopes that are not valid JSON"),
    ("UPDATE api_keys SET scopes = '[]'", "api keys", "has the invalid scopes []"),
    ("UPDATE api_keys SET scopes = '{}'", "api keys", "has the invalid scopes {}"),
    ("UPDATE api_keys SET scopes = '[\"root\"]'", "api keys", "has the invalid scopes"),
    ("UPDATE api_keys SET queues = '['", "api keys", "queue patterns that are not valid JSON"),
    ("UPDATE api_keys SET queues = '{}'", "api keys", "has the invalid queue patterns {}"),
    ("UPDATE api_keys SET queues = '[\"A\"]'", "api keys", "has the invalid queue patterns"),
    (
        "DROP INDEX api_keys_name; INSERT INTO api_keys
         SELECT 2, name, zeroblob(32), scopes, queues, 0, NULL, NULL, NULL, 0 FROM api_keys",
        "api keys",
        "api key 2 has the name of an earlier key",
    ),
    ("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'api_keys'", "api keys", "assigned again"),
    // Webhook secrets.
    (
        "UPDATE webhook_secrets SET name = ''",
        "webhook secrets",
        "webhook secret 1 has an invalid name",
    ),
    (
        "UPDATE webhook_secrets SET name = 'A'",
        "webhook secrets",
        "webhook secret 1 has an invalid name",
    ),
    (
        "UPDATE webhook_secrets SET secret = x'00'",
        "webhook secrets",
        "webhook secret 1 has a value of 1 bytes",
    ),
    (
        "UPDATE webhook_secrets SET previous = x'00', previous_until = 1",
        "webhook secrets",
        "webhook secret 1 has a previous value of 1 bytes",
    ),
    (
        "UPDATE webhook_secrets SET previous_until = 1",
        "webhook secrets",
        "has a previous value without an end, or an end without a previous value",
    ),
    (
        "UPDATE webhook_secrets SET queues = '[\"A\"]'",
        "webhook secrets",
        "webhook secret 1 has the invalid queue patterns [\"A\"]",
    ),
    // The epoch.
    ("DELETE FROM epoch", "epoch", "there are 0 epochs"),
    ("UPDATE epoch SET id = 2", "epoch", "the epoch has the id 2"),
    ("UPDATE epoch SET token_floor = -1", "epoch", "the epoch has the invalid token_floor -1"),
    // Logs and charts.
    ("UPDATE logs SET total = 1", "logs", "the log of job 3 is longer than its total"),
    ("UPDATE time_buckets SET retried = -1", "charts", "has a negative counter"),
    ("UPDATE time_buckets SET run = '['", "charts", "has a histogram that is not valid JSON"),
    ("UPDATE time_buckets SET run = '{}'", "charts", "has a histogram that is not an array"),
    (
        "UPDATE learned_kinds SET kind = 'A b'",
        "learned kinds",
        "learned kind A b has an invalid name",
    ),
    ("UPDATE learned_kinds SET queues = '['", "learned kinds", "that are not valid JSON"),
    ("UPDATE learned_kinds SET queues = '[\"A\"]'", "learned kinds", "invalid queue patterns ["),
    // References to missing rows.
    (
        "UPDATE jobs SET queue_id = 9 WHERE id = 2",
        "references",
        "jobs row 2 refers to a missing row of queues",
    ),
    (
        "UPDATE jobs SET batch_id = 9 WHERE id = 2",
        "references",
        "jobs row 2 refers to a missing row of batches",
    ),
    (
        "INSERT INTO results VALUES (99, 0, '1')",
        "references",
        "results row 99 refers to a missing row of jobs",
    ),
    (
        "INSERT INTO attempts VALUES (99, 1, 1, 5, 1, 5, NULL, 'a', 'b', NULL)",
        "references",
        "attempts refers to a missing row",
    ),
    // The file: an index whose entries do not match its definition.
    (
        "UPDATE sqlite_schema SET sql = replace(sql, 'state = 1', 'state = 0')
         WHERE name = 'jobs_queued'",
        "integrity",
        "jobs_queued",
    ),
];
