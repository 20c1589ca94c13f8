DROP INDEX time_buckets_age;
ALTER TABLE time_buckets RENAME TO tallies;
CREATE INDEX tallies_age ON tallies (began_at);
