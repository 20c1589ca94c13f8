//! What the leases of one commit group need not find out again.

use std::sync::Arc;

use crate::job::QueueName;
use crate::job::lease::LeasedJob;
use crate::roster::LeaseOrder;

/// Number of payload bytes at which a transaction stops leasing to remote workers, and to local ones, even
/// if they want more jobs.
const MAX_LEASED_BYTES: usize = 8 << 20;

/// Payload size, in bytes, above which a payload is large. The jobs that a plan leases to one lane, at most
/// 256, stay below [`MAX_LEASED_BYTES`] if none of them is large.
pub(crate) const LARGE_PAYLOAD_BYTES: usize = 32 << 10;

/// What the leases of one commit group have found so far.
#[derive(Debug, Default)]
pub(crate) struct LeaseMemo {
    /// Orders of remote workers for which no job is left.
    exhausted: Vec<RemoteFilter>,
    /// Number of payload bytes leased to remote workers in this transaction.
    payload_bytes: usize,
    /// Number of payload bytes leased to local workers in this transaction.
    local_bytes: usize,
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

    /// Returns the total size of payloads at which this transaction leases no further job to local
    /// workers; 0 if it may lease none.
    pub(crate) fn local_room(&self, order: &LeaseOrder) -> usize {
        order.payload_room.min(MAX_LEASED_BYTES).saturating_sub(self.local_bytes)
    }

    /// Counts the payloads of jobs that are leased to local workers.
    pub(crate) fn add_local(&mut self, jobs: &[LeasedJob]) {
        self.local_bytes += jobs.iter().map(|job| job.payload.as_str().len()).sum::<usize>();
    }

    /// Counts the payload of a job that is leased to a remote worker.
    pub(crate) fn add_payload(&mut self, bytes: usize) {
        self.payload_bytes += bytes;
    }
}
