//! Shares of the async lane: how many jobs of one queue without `max_running` may run in it.

use crate::job::queue::QueueName;
use crate::job::submission::on_end::callback::CALLBACK_QUEUE;

/// Maximum numbers of running jobs of one queue without `max_running` in the async lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueShares {
    /// Jobs of any queue.
    pub jobs: u32,
    /// Deliveries of webhooks, which are in a queue of their own.
    pub deliveries: u32,
}

impl QueueShares {
    /// No limits.
    pub const UNLIMITED: Self = Self { jobs: u32::MAX, deliveries: u32::MAX };

    /// Returns the share of a queue.
    pub fn of(self, queue: &QueueName) -> u32 {
        match queue.as_str() {
            CALLBACK_QUEUE => self.jobs.min(self.deliveries),
            _ => self.jobs,
        }
    }
}
