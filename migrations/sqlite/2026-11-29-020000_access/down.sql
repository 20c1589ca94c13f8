DROP TABLE signing_secret;
ALTER TABLE api_keys DROP COLUMN unfinished;
DROP TABLE batch_queues;
ALTER TABLE remote_leases DROP COLUMN key_id;
