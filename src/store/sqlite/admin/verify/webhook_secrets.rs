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
        END AS fault FROM webhook_secrets NOT INDEXED)
    WHERE fault IS NOT NULL";
