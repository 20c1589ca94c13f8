//! Faults of end actions and deliveries that `longshore verify` must find.

/// SQL that corrupts the sample, the check that must find the fault, and a part of its description.
pub(super) const END_FAULTS: &[(&str, &str, &str)] = &[
    // Webhooks.
    (
        "UPDATE end_actions SET callback = NULL, then_job = NULL",
        "end actions",
        "job 11 has neither a callback nor a follow-up job",
    ),
    (
        "UPDATE end_actions SET callback = '{'",
        "end actions",
        "job 11 has a callback that is not valid JSON",
    ),
    ("UPDATE end_actions SET callback = '{}'", "end actions", "job 11 has the invalid callback {}"),
    (
        "UPDATE end_actions SET callback = json_set(callback, '$.events', json('[\"job.done\"]'))",
        "end actions",
        "job 11 has the invalid callback",
    ),
    ("UPDATE batch_end_actions SET callback = '[]'", "end actions", "batch 1 has the invalid"),
    // Follow-up jobs.
    ("UPDATE end_actions SET then_job = '{'", "end actions", "a follow-up job that is not valid"),
    ("UPDATE end_actions SET then_job = '{}'", "end actions", "job 11 has an invalid follow-up"),
    (
        "UPDATE end_actions SET then_job = json_remove(then_job, '$.job.payload')",
        "end actions",
        "job 11 has an invalid follow-up job",
    ),
    (
        "UPDATE batch_end_actions SET then_job = json_remove(then_job, '$.job.queue')",
        "end actions",
        "batch 1 has an invalid follow-up job",
    ),
    (
        "UPDATE end_actions SET then_job = NULL",
        "end actions",
        "job 11 has inserted the follow-up job 13, which it does not have",
    ),
    (
        "UPDATE end_actions SET then_id = 99",
        "end actions",
        "job 11 has the follow-up job 99, which was not assigned yet",
    ),
    (
        "UPDATE end_actions SET then_id = 11",
        "end actions",
        "job 11 has the follow-up job 11, which is older",
    ),
    (
        "UPDATE batch_end_actions SET then_id = 10",
        "end actions",
        "batch 1 has the follow-up job 10, which is older",
    ),
    (
        "UPDATE batch_end_actions SET then_id = 13",
        "end actions",
        "batch 1 shares the follow-up job 13 with another job or batch",
    ),
    (
        "UPDATE end_actions SET then_id = NULL",
        "end actions",
        "job 11 is completed and has not inserted its follow-up job",
    ),
    (
        "INSERT INTO end_actions SELECT 2, callback, then_job, 14 FROM end_actions",
        "end actions",
        "job 2 has inserted the follow-up job 14 and has never run",
    ),
    // Deliveries.
    ("UPDATE deliveries SET batch_id = 1", "deliveries", "delivery 12 is not of either a job or"),
    ("UPDATE deliveries SET job_id = NULL", "deliveries", "delivery 12 is not of either a job or"),
    (
        "UPDATE jobs SET kind = 'echo' WHERE id = 12",
        "deliveries",
        "delivery 12 is of the kind echo",
    ),
    ("UPDATE jobs SET payload = '{}' WHERE id = 12", "deliveries", "12 has no URL or no body"),
    (
        "UPDATE jobs SET payload = json_set(payload, '$.body', 1) WHERE id = 12",
        "deliveries",
        "delivery 12 has no URL or no body",
    ),
    ("UPDATE deliveries SET job_id = 13", "deliveries", "delivery 12 is older than its cause"),
    (
        "UPDATE jobs SET batch_id = 1 WHERE id = 14;
         UPDATE deliveries SET job_id = NULL, batch_id = 1",
        "deliveries",
        "delivery 12 is older than its cause",
    ),
    (
        "UPDATE deliveries SET job_id = 2",
        "deliveries",
        "delivery 12 is of a job or batch without a callback",
    ),
    (
        "UPDATE deliveries SET job_id = NULL, batch_id = 1;
         UPDATE batch_end_actions SET callback = NULL",
        "deliveries",
        "delivery 12 is of a job or batch without a callback",
    ),
    (
        "INSERT INTO end_actions SELECT 12, callback, then_job, NULL FROM end_actions",
        "deliveries",
        "delivery 12 has end actions of its own",
    ),
    // References to missing rows.
    (
        "UPDATE end_actions SET job_id = 99",
        "references",
        "end_actions row 99 refers to a missing row of jobs",
    ),
    (
        "UPDATE batch_end_actions SET batch_id = 99",
        "references",
        "batch_end_actions row 99 refers to a missing row of batches",
    ),
    (
        "UPDATE deliveries SET id = 99",
        "references",
        "deliveries row 99 refers to a missing row of jobs",
    ),
    (
        "UPDATE deliveries SET job_id = 99",
        "references",
        "deliveries row 12 refers to a missing row of jobs",
    ),
];
