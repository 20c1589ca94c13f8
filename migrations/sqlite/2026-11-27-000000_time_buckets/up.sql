-- Rename `tallies` to `time_buckets`, the name that the code and the documentation use. Renaming a
-- table takes no time, and the index covers an hour of counters at most.
ALTER TABLE tallies RENAME TO time_buckets;
DROP INDEX tallies_age;
CREATE INDEX time_buckets_age ON time_buckets (began_at);
