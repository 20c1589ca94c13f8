DROP TABLE remote_leases;
DROP INDEX jobs_queued_remote;
