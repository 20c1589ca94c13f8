//! Faults of batches that `longshore verify` must find.

/// SQL that corrupts the sample, the check that must find the fault, and a part of its description.
pub(super) const BATCH_FAULTS: &[(&str, &str, &str)] = &[
    // Counts and ends of batches.
    (
        "UPDATE batches SET queued = 2, total = 3",
        "batches",
        "batch 1 counts 2 queued jobs and has 1",
    ),
    ("UPDATE batches SET scheduled = 1, total = 3", "batches", "1 scheduled jobs and has 0"),
    ("UPDATE batches SET running = 1, total = 3", "batches", "1 running jobs and has 0"),
    ("UPDATE batches SET retrying = 1, total = 3", "batches", "1 retrying jobs and has 0"),
    ("UPDATE batches SET completed = 0, total = 1", "batches", "0 completed jobs and has 1"),
    (
        "UPDATE jobs SET batch_id = 1 WHERE id = 6",
        "batches",
        "batch 1 counts 0 failed jobs and has 1",
    ),
    (
        "UPDATE jobs SET batch_id = 1 WHERE id = 7",
        "batches",
        "batch 1 counts 0 cancelled jobs and has 1",
    ),
    (
        "UPDATE batches SET total = 3",
        "batches",
        "batch 1 has counts that do not add up to its total 3",
    ),
    ("UPDATE batches SET finished_at = 5", "batches", "batch 1 has finished_at and has not"),
    (
        "UPDATE jobs SET batch_id = NULL WHERE id = 10; UPDATE batches SET queued = 0, total = 1",
        "batches",
        "batch 1 has ended and has no finished_at",
    ),
    ("UPDATE jobs SET batch_id = NULL", "batches", "batch 1 counts 1 queued jobs and has 0"),
    (
        "UPDATE jobs SET batch_id = NULL WHERE id = 10;
         UPDATE batches SET queued = 0, total = 1, finished_at = 5, open_until = 9",
        "batches",
        "batch 1 has finished_at and is open",
    ),
    // Idempotency keys of batches without jobs.
    ("UPDATE submissions SET first_job_id = -1, batch_id = 2", "keys", "and not of its batch 2"),
    (
        "UPDATE submissions SET first_job_id = -9, batch_id = 9",
        "keys",
        "still exists although its batch is removed",
    ),
    // The order of the ends in a batch.
    (
        "DELETE FROM batch_ends",
        "batch ends",
        "job 9 has ended and is not among the ends of batch 1",
    ),
    ("UPDATE batch_ends SET job_id = 5", "batch ends", "have job 5, which is not of the batch"),
    ("UPDATE batch_ends SET seq = 2", "batch ends", "are numbered up to 2 and are 1"),
];
