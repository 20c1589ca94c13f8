//! The rule of webhook secrets.

/// Every value of a secret is one that the server accepts: a secret with any other signs nothing.
pub(super) const WEBHOOK_SECRETS: &str = "
    SELECT 'webhook secret ' || id || ' ' || fault AS words FROM (SELECT id, CASE
        WHEN length(name) NOT BETWEEN 1 AND 64 OR name GLOB '*[^a-z0-9._-]*' OR name GLOB '[._-]*'
            THEN 'has an invalid name'
        WHEN length(secret) != 32 THEN 'has a value of ' || length(secret) || ' bytes'
        WHEN length(previous) != 32
            THEN 'has a previous value of ' || length(previous) || ' bytes'
        WHEN (previous IS NULL) != (previous_until IS NULL)
            THEN 'has a previous value without an end, or an end without a previous value'
        WHEN NOT json_valid(queues) THEN 'has queue patterns that are not valid JSON'
        WHEN json_type(queues) != 'array' OR EXISTS (SELECT 1 FROM json_each(queues)
            WHERE type != 'text' OR length(value) NOT BETWEEN 1 AND 64 OR value GLOB '*[^a-z0-9._*-]*')
            THEN 'has the invalid queue patterns ' || queues
        END AS fault FROM webhook_secrets NOT INDEXED)
    WHERE fault IS NOT NULL";
