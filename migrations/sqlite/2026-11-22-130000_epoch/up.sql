-- The current epoch of the database. A server that opens a copy starts a new epoch: its leases get
-- tokens larger than all earlier ones, so that no worker of the original can finish a job of the copy.
CREATE TABLE epoch (
    id          INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    -- The smallest token that a lease gets. Running jobs below it are of an earlier epoch.
    token_floor INTEGER NOT NULL CHECK (token_floor BETWEEN 0 AND 4503599627370496),
    -- None in the first epoch, which began with the tables.
    began_at    INTEGER,
    -- When this copy was made; none where the database is no copy or has begun its own epoch.
    copied_at   INTEGER
) STRICT;

INSERT INTO epoch (id, token_floor) VALUES (1, 0);
