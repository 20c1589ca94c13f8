//! A queue as a row of a table.

use crate::job::queue::{Queue, StateCounts};
use crate::pages::forms::limits;
use crate::pages::parts::number::Count;
use crate::pages::parts::time::DurationText;

/// A queue as a row of `parts/queue_rows.html`.
pub(crate) struct QueueRow {
    pub(crate) name: String,
    pub(crate) is_paused: bool,
    /// Numbers of jobs in the order of the columns: queued, running, scheduled, retrying, failed.
    pub(crate) counts: [Count; 5],
    pub(crate) oldest: Option<DurationText>,
    pub(crate) limits: String,
}

impl QueueRow {
    pub(crate) fn new(queue: &Queue) -> Self {
        let StateCounts { queued, running, scheduled, retrying, failed, .. } = queue.jobs;
        Self {
            name: queue.name.to_string(),
            is_paused: queue.settings.paused,
            counts: [queued, running, scheduled, retrying, failed].map(Count::new),
            oldest: queue.oldest_queued_age.map(|age| DurationText::new(age.duration())),
            limits: limits::describe(&queue.settings),
        }
    }
}
