-- Fills a database like that of a server that has run for a while: most jobs have completed, some
-- have failed, and some wait at both ends of the table. The temporary table `fill` holds the number of
-- jobs and the current time. All differences between jobs are derived from their ids.

INSERT INTO queues (id, name, paused, created_at)
SELECT key + 1, value, 1, now FROM fill, json_each(
    '["default", "mail", "reports", "llm", "images", "hooks", "old", "sparse"]');

WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids, fill WHERE id < jobs)
INSERT INTO jobs (id, state, lane, queue_id, priority, attempt, max_attempts, lease_token,
    lease_expires_at, created_at, run_at, started_at, finished_at, at_most_once, timeout_ms,
    backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter, batch_id, error_code,
    error_message, tags, kind, payload)
SELECT id, state, iif(state = 2, 3, 0), queue_id, id % 3, state <> 0, 5, state <> 0,
    iif(state = 2, now + 3600000, NULL), now - (jobs - id),
    now + CASE state WHEN 0 THEN 1000000000 WHEN 3 THEN 500000 ELSE 0 END,
    iif(state <> 0, now, NULL), iif(state >= 4, now, NULL), 0, 3600000,
    iif(state = 3, 600000, 1000), 2, 600000, 0.2, batch_id, iif(state IN (3, 5, 6), 'timeout', NULL),
    iif(state IN (3, 5, 6), 'too slow', NULL), tags, kind, '{"user":' || id || ',"text":"hello"}'
FROM (
    SELECT id, jobs, now,
        CASE
            WHEN id <= 2000 THEN 1
            WHEN id <= 4000 THEN 0
            WHEN id > jobs - 300 THEN 2
            WHEN id > jobs - 50000 AND a < 600 THEN 1
            WHEN id > jobs - 50000 AND a < 800 THEN 0
            WHEN a < 10 THEN 5
            WHEN a < 14 THEN 6
            WHEN a < 15 THEN 3
            ELSE 4
        END AS state,
        CASE
            WHEN id <= 10000 AND id % 2 = 0 THEN 7
            WHEN id % 100003 = 0 THEN 8
            WHEN b < 500 THEN 1
            WHEN b < 700 THEN 2
            WHEN b < 800 THEN 3
            WHEN b < 900 THEN 4
            WHEN b < 950 THEN 5
            ELSE 6
        END AS queue_id,
        CASE
            WHEN id <= 10000 AND id % 500 = 1 THEN 'rare'
            WHEN c < 40 THEN 'echo'
            WHEN c < 65 THEN 'http'
            WHEN c < 80 THEN 'chat'
            WHEN c < 90 THEN 'command'
            ELSE 'sleep'
        END AS kind,
        CASE
            WHEN id <= 1000 THEN '["old"]'
            WHEN c % 10 = 3 THEN '["red"]'
            WHEN c >= 96 THEN '["blue"]'
        END AS tags,
        iif(id / 1000 % 20 = 0, id / 20000 + 1, NULL) AS batch_id
    FROM (
        SELECT id, jobs, now, id * 2654435761 % 1000 AS a, id * 40503 % 997 AS b, id * 7919 % 101 AS c
        FROM fill, ids
    )
);

INSERT INTO job_tags (tag, job_id) SELECT 'blue', id FROM jobs WHERE tags = '["blue"]';
INSERT INTO job_tags (tag, job_id) SELECT 'old', id FROM jobs WHERE tags = '["old"]';
INSERT INTO job_tags (tag, job_id) SELECT 'red', id FROM jobs WHERE tags = '["red"]';
INSERT INTO results (job_id, truncated, result) SELECT id, 0, payload FROM jobs WHERE state = 4;
INSERT INTO failures (job_id, lease_token, attempt, failed_at, code, message)
SELECT id, 1, 1, started_at, error_code, error_message FROM jobs WHERE state IN (3, 5);
INSERT INTO remote_leases (job_id, lease_ms) SELECT id, 3600000 FROM jobs WHERE state = 2;
INSERT INTO batches (id, total, scheduled, queued, running, retrying, completed, failed, cancelled,
    created_at, finished_at)
SELECT batch_id, count(*), sum(state = 0), sum(state = 1), sum(state = 2), sum(state = 3),
    sum(state = 4), sum(state = 5), sum(state = 6), min(created_at),
    iif(sum(state < 4) = 0, max(finished_at), NULL)
FROM jobs WHERE batch_id IS NOT NULL GROUP BY batch_id;
INSERT INTO queue_counts (queue_id, state, jobs)
SELECT queues.id, value, 0 FROM queues, json_each('[0, 1, 2, 3, 4, 5, 6]');
INSERT OR REPLACE INTO queue_counts (queue_id, state, jobs)
SELECT queue_id, state, count(*) FROM jobs GROUP BY queue_id, state;
