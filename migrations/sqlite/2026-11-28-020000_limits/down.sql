DROP INDEX jobs_queued;
UPDATE jobs SET provider_id = NULL WHERE provider_id IS NOT NULL;
CREATE INDEX jobs_queued ON jobs (lane, queue_id, priority DESC, id) WHERE state = 1;
DROP TABLE providers;
ALTER TABLE job_extras DROP COLUMN deferred_since;
ALTER TABLE job_extras DROP COLUMN deferred;
ALTER TABLE queues DROP COLUMN starts;
