ALTER TABLE job_extras ADD COLUMN callback TEXT;
DROP TABLE deliveries;
DROP TABLE batch_end_actions;
DROP TABLE end_actions;
