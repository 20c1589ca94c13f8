-- The end of the log of a job. A separate table, because few jobs have a log.
CREATE TABLE logs (
    job_id INTEGER PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    -- How many bytes were logged in all: text is the last of them.
    total  INTEGER NOT NULL CHECK (total >= length(CAST(text AS BLOB))),
    text   TEXT    NOT NULL
) STRICT;

-- Counters of a queue for ten seconds each, for the charts of the last hour. Nothing else depends on
-- them: they are written afterwards and deleted after about an hour. Queue 0 counts all queues together.
CREATE TABLE tallies (
    queue_id  INTEGER NOT NULL,
    began_at  INTEGER NOT NULL,
    submitted INTEGER NOT NULL CHECK (submitted >= 0),
    started   INTEGER NOT NULL CHECK (started >= 0),
    completed INTEGER NOT NULL CHECK (completed >= 0),
    failed    INTEGER NOT NULL CHECK (failed >= 0),
    cancelled INTEGER NOT NULL CHECK (cancelled >= 0),
    retried   INTEGER NOT NULL CHECK (retried >= 0),
    -- How things stood at its end.
    waiting   INTEGER NOT NULL CHECK (waiting >= 0),
    running   INTEGER NOT NULL CHECK (running >= 0),
    -- How long starts and runs took: a JSON array of how many by size, see job::histogram.
    start     TEXT    NOT NULL,
    run       TEXT    NOT NULL,
    PRIMARY KEY (queue_id, began_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX tallies_age ON tallies (began_at);
