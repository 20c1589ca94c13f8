PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(replace(sql,
    'CHECK ((state >= 4) = (finished_at IS NOT NULL))',
    'CHECK ((state IN (4, 5, 6)) = (finished_at IS NOT NULL))'),
    'CHECK (state <= 1 OR state = 6 OR lease_token > 0)',
    'CHECK (state IN (0, 1, 6) OR lease_token > 0)')
WHERE type = 'table' AND name = 'jobs';
PRAGMA writable_schema = RESET;
-- Makes other connections read the changed schema.
CREATE TABLE changed (x INTEGER);
DROP TABLE changed;
