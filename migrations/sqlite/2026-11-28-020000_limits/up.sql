-- Limits that the store decides: the recent starts of queues, and providers with a state.

-- Recent starts for the rate limit, see job::limit::starts. NULL without any.
ALTER TABLE queues ADD COLUMN starts TEXT;

-- How often a job was deferred without using up an attempt, and since when.
ALTER TABLE job_extras ADD COLUMN deferred INTEGER NOT NULL DEFAULT 0 CHECK (deferred >= 0);
ALTER TABLE job_extras ADD COLUMN deferred_since INTEGER;

-- Providers that chat jobs call. The configuration has their limits.
CREATE TABLE providers (
    id      INTEGER PRIMARY KEY NOT NULL,
    name    TEXT    NOT NULL UNIQUE,
    -- Number of its jobs in the state running.
    running INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
    -- Number of its jobs in the state queued.
    queued  INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
    starts  TEXT,
    -- Maximum number of calls at once while it is on trial. A new provider starts with 32.
    trial   INTEGER DEFAULT 32 CHECK (trial > 0),
    -- A JSON object, see job::limit::provider::ProviderPause.
    pause   TEXT
) STRICT;

-- The unfinished jobs of the kind chat learn their provider from their payload. Those that name none get
-- the provider '', which the program replaces by the only configured one when it opens the database, or
-- by none.
CREATE TEMP TABLE unfinished (id INTEGER PRIMARY KEY, state INTEGER, name);
INSERT INTO unfinished
SELECT id, state,
    CASE WHEN json_valid(payload) THEN coalesce(json_extract(payload, '$.provider'), '') ELSE '' END AS name
FROM jobs WHERE state = 1 AND kind = 'chat' AND lane = 0
UNION ALL
SELECT id, state,
    CASE WHEN json_valid(payload) THEN coalesce(json_extract(payload, '$.provider'), '') ELSE '' END AS name
FROM jobs WHERE state = 2 AND kind = 'chat' AND lane = 0
UNION ALL
SELECT id, state,
    CASE WHEN json_valid(payload) THEN coalesce(json_extract(payload, '$.provider'), '') ELSE '' END AS name
FROM jobs WHERE state IN (0, 3) AND kind = 'chat' AND lane = 0;
-- A job whose provider cannot exist gets none. It fails when it runs.
DELETE FROM unfinished WHERE typeof(name) != 'text' OR octet_length(name) > 64
    OR octet_length(name) != length(name) OR name GLOB '*[^a-z0-9._-]*' OR name GLOB '[._-]*';
INSERT INTO providers (name, running, queued)
SELECT name, sum(state = 2), sum(state = 1) FROM unfinished GROUP BY name;

-- Each provider of a queue is a line of its own in the index, so that a full one is skipped.
DROP INDEX jobs_queued;
UPDATE jobs SET provider_id = (SELECT providers.id FROM unfinished JOIN providers USING (name)
    WHERE unfinished.id = jobs.id)
WHERE id IN (SELECT id FROM unfinished);
DROP TABLE unfinished;
CREATE INDEX jobs_queued ON jobs (lane, queue_id, provider_id, priority DESC, id) WHERE state = 1;
