-- What happens when a job or batch ends: a webhook is sent, and another job is submitted. The transaction
-- that ends it inserts both as jobs (transactional outbox).

CREATE TABLE end_actions (
    job_id   INTEGER PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    -- A JSON object, see job::submission::on_end::callback::Callback.
    callback TEXT,
    -- A JSON object, see job::submission::on_end::follow_up::FollowUp.
    then_job TEXT,
    -- Id of the follow-up job, once it was inserted. It is never inserted again.
    then_id  INTEGER
) STRICT;

CREATE TABLE batch_end_actions (
    batch_id INTEGER PRIMARY KEY NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    callback TEXT,
    then_job TEXT,
    then_id  INTEGER
) STRICT;

-- Which job delivers a webhook of which job or batch.
CREATE TABLE deliveries (
    id       INTEGER PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    job_id   INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
    batch_id INTEGER REFERENCES batches (id) ON DELETE CASCADE,
    CHECK ((job_id IS NULL) <> (batch_id IS NULL))
) STRICT;
CREATE INDEX deliveries_of_job   ON deliveries (job_id, id) WHERE job_id IS NOT NULL;
CREATE INDEX deliveries_of_batch ON deliveries (batch_id, id) WHERE batch_id IS NOT NULL;
