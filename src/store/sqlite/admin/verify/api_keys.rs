//! The rules of API keys.

use crate::store::codes::sql;

/// Every value of a key is one that the server accepts: it ignores a key with any other.
pub(super) const API_KEYS: &str = "
    SELECT 'api key ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN length(name) NOT BETWEEN 1 AND 64 OR name != trim(name) THEN 'has an invalid name'
        WHEN length(digest) != 32 THEN 'has a digest of ' || length(digest) || ' bytes'
        WHEN NOT json_valid(scopes) THEN 'has scopes that are not valid JSON'
        WHEN json_type(scopes) != 'array' OR json_array_length(scopes) = 0
            OR EXISTS (SELECT 1 FROM json_each(scopes) WHERE value NOT IN ('submit', 'read', 'work', 'admin'))
            THEN 'has the invalid scopes ' || scopes
        WHEN NOT json_valid(queues) THEN 'has queue patterns that are not valid JSON'
        WHEN json_type(queues) != 'array' OR EXISTS (SELECT 1 FROM json_each(queues)
            WHERE type != 'text' OR length(value) NOT BETWEEN 1 AND 64 OR value GLOB '*[^a-z0-9._*-]*')
            THEN 'has the invalid queue patterns ' || queues
        WHEN revoked_at IS NULL AND EXISTS (SELECT 1 FROM api_keys AS other
            WHERE other.name = api_keys.name AND other.id < api_keys.id AND other.revoked_at IS NULL)
            THEN 'has the name of an earlier key'
        WHEN EXISTS (SELECT 1 FROM api_keys AS other
            WHERE other.digest = api_keys.digest AND other.id < api_keys.id)
            THEN 'has the digest of an earlier key'
        WHEN id > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'api_keys')
            THEN 'has an id that can be assigned again'
        END AS fault FROM api_keys NOT INDEXED)
    WHERE fault IS NOT NULL";

/// The number of unfinished jobs of a key is that of its jobs.
pub(super) const KEY_COUNTS: &str = sql!("
    WITH counted AS (
        SELECT key_id, count(*) AS jobs FROM jobs NOT INDEXED
        WHERE key_id IS NOT NULL AND state NOT IN (" {Completed} ", " {Failed} ", " {Cancelled} ")
        GROUP BY key_id)
    SELECT 'api key ' || id || ' counts ' || unfinished || ' unfinished jobs and has ' || coalesce(jobs, 0) AS words
    FROM api_keys LEFT JOIN counted ON key_id = id WHERE unfinished != coalesce(jobs, 0)");
