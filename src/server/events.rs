//! Event streams: subscriptions to one job, to one batch, or to all jobs.
//!
//! No events are stored. A subscriber to a job or batch owns a `Notify`. The Announcer signals it
//! after a commit that changed the subject; the subscriber then reads the row and returns what is new
//! since its last read. A slow subscriber therefore costs no more memory than a fast one, and a
//! subscriber that was disconnected still gets the current state when it reconnects. Several changes
//! between two reads become one event: if a job starts and completes between two reads, the subscriber
//! sees only `completed`.

mod all;
mod batch;
mod batch_jobs;
mod job;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::actor::events::publisher::CountGuard;
use crate::actor::message::{Subject, Subscribe};
use crate::actor::send;
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::server::handle::bounds::HeldPermit;

pub use all::{AllEvent, AllEvents, AllFilter};
pub use batch::BatchEvents;
pub use batch_jobs::{BatchEvent, BatchJobEvents, BatchPosition};
pub use job::{JobEvent, JobEvents, Position};

/// Minimum time between two reads of a job or batch.
const MIN_READ_INTERVAL: Duration = Duration::from_millis(100);

/// A subscription to one job or batch; dropping it ends it.
struct Subscription {
    notify: Arc<Notify>,
    /// Whether the subject has changed since the last read.
    is_notified: bool,
    /// Earliest time of the next read.
    next_at: Instant,
    _count: CountGuard,
    _permit: HeldPermit,
}

impl Handle {
    /// Subscribes to the changes of a job or batch. This must happen before the first read, so that a
    /// change between the two is not missed.
    fn subscribe(&self, subject: Subject) -> Result<Subscription, Error> {
        let permit = self.wait_permit()?;
        let connections = self.connections();
        let count = CountGuard::new(&connections.publisher.client_counts.subscribers);
        let notify = Arc::new(Notify::new());
        let subscribe = Subscribe { subject, notify: Arc::downgrade(&notify) };
        if send(&connections.announcer, subscribe) {
            let (is_notified, next_at) = (false, Instant::now());
            Ok(Subscription { notify, is_notified, next_at, _count: count, _permit: permit })
        } else {
            Err(Error::Stopped)
        }
    }
}

impl Subscription {
    /// Waits until the subject has changed and may be read again. Returns false if the server stops.
    ///
    /// If this future or the read after it is dropped, the next call returns without waiting
    /// for another change.
    async fn changed(&mut self, handle: &Handle) -> bool {
        if !self.is_notified {
            tokio::select! {
                () = self.notify.notified() => self.is_notified = true,
                () = handle.stopped() => return false,
            }
        }
        tokio::time::sleep_until(self.next_at).await;
        true
    }

    /// Notes that the subject has been read.
    fn mark_read(&mut self) {
        self.is_notified = false;
        self.next_at = Instant::now() + MIN_READ_INTERVAL;
    }
}
