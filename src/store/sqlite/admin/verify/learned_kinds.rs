//! The rule of learned kinds.

/// Every value of a learned kind is one that the server accepts: it ignores a kind with any other.
pub(super) const LEARNED_KINDS: &str = "
    SELECT 'learned kind ' || kind || ' ' || fault AS words FROM (SELECT kind, CASE
        WHEN length(kind) NOT BETWEEN 1 AND 64 OR kind GLOB '*[^a-z0-9._-]*' OR kind GLOB '[._-]*'
            THEN 'has an invalid name'
        WHEN NOT json_valid(queues) THEN 'has queue patterns that are not valid JSON'
        WHEN json_type(queues) != 'array' OR EXISTS (SELECT 1 FROM json_each(queues)
            WHERE type != 'text' OR length(value) NOT BETWEEN 1 AND 64 OR value GLOB '*[^a-z0-9._*-]*')
            THEN 'has the invalid queue patterns ' || queues
        END AS fault FROM learned_kinds)
    WHERE fault IS NOT NULL";
