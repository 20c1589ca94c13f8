-- Kinds that remote workers made known by asking for jobs of them.
CREATE TABLE learned_kinds (
    kind     TEXT    NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    -- Patterns of the queues in which the kind is known, as a JSON array: those of the worker's key. Empty for all.
    queues   TEXT    NOT NULL,
    -- Time at which a worker last asked for jobs of the kind, exact to an hour.
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (kind, queues)
) STRICT, WITHOUT ROWID;
