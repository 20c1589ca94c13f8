//! Sample values for the unit tests of the command line.

use serde_json::json;

use crate::job::Job;
use crate::job::batch::Batch;
use crate::job::queue::Queue;

/// Returns a running job.
pub(crate) fn job(id: i64) -> Job {
    let job = json!({
        "id": id, "kind": "chat", "queue": "mail", "lane": "async", "state": "running",
        "priority": 0, "attempt": 1, "max_attempts": 5, "created_at": "2030-01-31T12:00:00.000Z",
        "run_at": "2030-01-31T12:00:00.000Z", "started_at": "2030-01-31T12:00:01.000Z",
        "finished_at": null, "timeout": "5m", "at_most_once": false, "cancel_requested": false,
        "error": null, "progress": null, "tags": [], "batch": null,
    });
    serde_json::from_value(job).unwrap()
}

/// Returns a queue with one running job and two queued jobs.
pub(crate) fn queue(name: &str) -> Queue {
    let queue = json!({
        "name": name, "paused": false, "max_running": 5, "rate": null,
        "jobs": {"scheduled": 0, "queued": 2, "running": 1, "retrying": 0, "completed": 7,
            "failed": 0, "cancelled": 0},
        "oldest_queued_at": "2030-01-31T12:00:00.000Z", "oldest_queued_age": "42s",
    });
    serde_json::from_value(queue).unwrap()
}

/// Returns a batch in progress: of 40 jobs, 27 completed, 2 failed and 1 was cancelled.
pub(crate) fn batch() -> Batch {
    let batch = json!({
        "id": 3, "name": null, "total": 40,
        "counts": {"scheduled": 0, "queued": 6, "running": 4, "retrying": 0, "completed": 27,
            "failed": 2, "cancelled": 1},
        "created_at": "2030-01-31T12:00:00.000Z", "finished_at": null,
    });
    serde_json::from_value(batch).unwrap()
}
