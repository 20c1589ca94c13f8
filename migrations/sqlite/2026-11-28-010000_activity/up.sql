-- The last activity of the server. A start long after it means that the server was off, or that the
-- clock of the machine is wrong; the server then deletes no old jobs until somebody has looked.
--
-- Older databases begin with the time of their newest job or chart. This takes no time.
CREATE TABLE activity (
    id        INTEGER PRIMARY KEY NOT NULL,
    -- None in a new database.
    active_at INTEGER,
    -- Changed to find out whether the database can be written. The value has no meaning.
    probes    INTEGER NOT NULL
) STRICT;

INSERT INTO activity (id, active_at, probes)
SELECT 1, max(at), 0 FROM (
    SELECT * FROM (
        SELECT max(created_at, ifnull(started_at, 0), ifnull(finished_at, 0)) AS at
        FROM jobs ORDER BY id DESC LIMIT 1)
    UNION ALL SELECT max(began_at) FROM time_buckets);
