DROP INDEX jobs_failed_at;
DROP INDEX jobs_rare_listed;
DROP INDEX jobs_rare;
DROP INDEX jobs_listed;
CREATE INDEX jobs_failed    ON jobs (id) WHERE state = 5;
CREATE INDEX jobs_cancelled ON jobs (id) WHERE state = 6;
