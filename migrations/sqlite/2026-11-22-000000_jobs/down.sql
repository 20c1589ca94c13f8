DROP TABLE submissions;
DROP TABLE job_tags;
DROP TABLE failures;
DROP TABLE results;
DROP TABLE jobs;
DROP TABLE batches;
DROP TABLE queue_counts;
DROP TABLE queues;
