//! What the leases of one commit group need not find out again.

use std::sync::Arc;

use crate::job::QueueName;
use crate::job::lease::LeasedJob;
use crate::roster::{LARGE_PAYLOAD_BYTES, LeaseOrder};

/// Number of payload bytes at which a transaction stops leasing to remote workers, and to local ones, even
/// if they want more jobs.
const MAX_LEASED_BYTES: usize = 8 << 20;

/// Room for the payloads of further jobs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PayloadRoom {
    /// Room of the transaction, for all payloads.
    pub(crate) of_transaction: usize,
    /// Room of the process, for large payloads.
    pub(crate) for_large: usize,
}

impl PayloadRoom {
    /// Returns the number of the first jobs that a lease takes, given the sizes of their payloads, and whether
    /// the next job waits because its payload is large. The last job fills a room, and may exceed it.
    pub(crate) fn fitting(mut self, sizes: impl Iterator<Item = i64>) -> (usize, bool) {
        let mut count = 0;
        for size in sizes {
            let bytes = usize::try_from(size).unwrap_or(usize::MAX);
            let large_bytes = if bytes > LARGE_PAYLOAD_BYTES { bytes } else { 0 };
            if self.of_transaction == 0 {
                return (count, false);
            }
            if large_bytes > 0 && self.for_large == 0 {
                return (count, true);
            }
            self.of_transaction = self.of_transaction.saturating_sub(bytes);
            self.for_large = self.for_large.saturating_sub(large_bytes);
            count += 1;
        }
        (count, false)
    }
}

/// What the leases of one commit group have found so far.
#[derive(Debug, Default)]
pub(crate) struct LeaseMemo {
    /// Orders of remote workers for which no job is left.
    exhausted: Vec<RemoteFilter>,
    /// Number of payload bytes leased to remote workers in this transaction.
    payload_bytes: usize,
    /// Number of payload bytes leased to local workers in this transaction.
    local_bytes: usize,
    /// Number of bytes of those among them that are large.
    large_bytes: usize,
    /// Whether a lease of this group has already cancelled expired jobs.
    is_expiry_done: bool,
}

/// A queue and the kinds that a remote worker takes from it; `None` means all kinds.
#[derive(Debug)]
struct RemoteFilter {
    queue: QueueName,
    kinds: Option<Arc<[String]>>,
}

impl LeaseMemo {
    /// Forgets what does not hold any more after a job was queued.
    pub(crate) fn job_was_queued(&mut self) {
        self.exhausted.clear();
        self.is_expiry_done = false;
    }

    /// Returns whether expired jobs are still to be cancelled, which the caller must do now.
    pub(crate) fn take_expiry(&mut self) -> bool {
        !std::mem::replace(&mut self.is_expiry_done, true)
    }

    /// Returns whether no job is left for an order of a remote worker.
    pub(crate) fn is_exhausted(&self, order: &LeaseOrder) -> bool {
        let is_filter_of =
            |filter: &RemoteFilter| filter.queue == order.queue && filter.kinds == order.kinds;
        self.exhausted.iter().any(is_filter_of)
    }

    /// Records that no job is left for an order of a remote worker.
    pub(crate) fn mark_exhausted(&mut self, order: &LeaseOrder) {
        let filter = RemoteFilter { queue: order.queue.clone(), kinds: order.kinds.clone() };
        self.exhausted.push(filter);
    }

    /// Returns whether this transaction may lease another job to a remote worker.
    pub(crate) fn has_room(&self) -> bool {
        self.payload_bytes < MAX_LEASED_BYTES
    }

    /// Returns the room for the payloads of jobs that are leased to local workers.
    pub(crate) fn local_room(&self, order: &LeaseOrder) -> PayloadRoom {
        PayloadRoom {
            of_transaction: MAX_LEASED_BYTES.saturating_sub(self.local_bytes),
            for_large: order.payload_room.saturating_sub(self.large_bytes),
        }
    }

    /// Counts the payloads of jobs that are leased to local workers.
    pub(crate) fn add_local(&mut self, jobs: &[LeasedJob]) {
        for bytes in jobs.iter().map(|job| job.payload.as_str().len()) {
            self.local_bytes += bytes;
            if bytes > LARGE_PAYLOAD_BYTES {
                self.large_bytes += bytes;
            }
        }
    }

    /// Counts the payload, or the metadata, of a job that is leased to a remote worker.
    pub(crate) fn add_payload(&mut self, bytes: usize) {
        self.payload_bytes += bytes;
    }
}
