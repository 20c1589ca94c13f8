DROP TABLE signing_secret;
DROP TABLE batch_queues;
ALTER TABLE remote_leases DROP COLUMN key_id;
