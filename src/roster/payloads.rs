//! The budget for the large payloads of the jobs that run in this process.
//!
//! Only payloads of more than [`LARGE_PAYLOAD_BYTES`] count: all workers together hold few bytes of smaller
//! ones. A job with a large payload waits while the budget of its queue is used up, and holds back the jobs
//! behind it in its queue and lane, because they start in order. Other queues are not affected.
//!
//! A queue may use three quarters of what the others leave free, so that jobs which run for hours leave
//! something for each further queue (a dynamic threshold). For example, with a budget of 64 MiB:
//!
//! | queue | free of the others | may use |
//! | --- | --- | --- |
//! | first | 64 MiB | 48 MiB |
//! | second | 16 MiB | 12 MiB |
//! | third | 4 MiB | 3 MiB |
//!
//! The last job that starts may exceed this, so that a payload of any size runs.

use std::collections::{HashMap, HashSet};

use crate::job::lane::Lane;
use crate::job::queue::QueueName;

/// Payload size, in bytes, above which a payload is large. The jobs that a plan leases to one lane, at most
/// 256, have at most 8 MiB of smaller ones.
pub(crate) const LARGE_PAYLOAD_BYTES: usize = 32 << 10;

/// Large payloads of the jobs that run in this process. See the module documentation.
#[derive(Debug)]
pub(super) struct Payloads {
    max_bytes: usize,
    /// Total size of the large payloads, in bytes.
    bytes: usize,
    /// Their size by queue, for queues that have any.
    by_queue: HashMap<QueueName, usize>,
    /// Queues of each lane whose next job has a large payload, as the last lease found.
    large_next: [HashSet<QueueName>; Lane::COUNT],
}

impl Payloads {
    /// Creates a budget of `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, bytes: 0, by_queue: HashMap::new(), large_next: Default::default() }
    }

    /// Counts the payload of a job that starts, if it is large.
    pub(super) fn add(&mut self, queue: &QueueName, bytes: usize) {
        if bytes > LARGE_PAYLOAD_BYTES {
            self.bytes += bytes;
            *self.by_queue.entry(queue.clone()).or_default() += bytes;
        }
    }

    /// Undoes [`Payloads::add`] for a job that has ended.
    pub(super) fn remove(&mut self, queue: &QueueName, bytes: usize) {
        if bytes <= LARGE_PAYLOAD_BYTES {
            return;
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(of_queue) = self.by_queue.get_mut(queue) {
            *of_queue = of_queue.saturating_sub(bytes);
            if *of_queue == 0 {
                self.by_queue.remove(queue);
            }
        }
    }

    /// Returns the total size of large payloads at which a queue starts no further job with one.
    pub(super) fn room(&self, queue: &QueueName) -> usize {
        let own = self.by_queue.get(queue).copied().unwrap_or(0);
        let left_by_others = self.max_bytes.saturating_sub(self.bytes - own);
        (left_by_others - left_by_others / 4).saturating_sub(own)
    }

    /// Records whether the next job of a queue in a lane has a large payload.
    pub(super) fn set_large_next(&mut self, queue: &QueueName, lane: Lane, is_large: bool) {
        let queues = &mut self.large_next[lane.index()];
        if is_large {
            queues.insert(queue.clone());
        } else if !queues.is_empty() {
            queues.remove(queue);
        }
    }

    /// Returns whether the next job of a queue in a lane waits for the end of others with large payloads.
    pub(super) fn holds_back(&self, queue: &QueueName, lane: Lane) -> bool {
        self.large_next[lane.index()].contains(queue) && self.room(queue) == 0
    }
}
