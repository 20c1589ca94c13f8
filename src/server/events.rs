//! What happens, told as it happens: to who listens to a job, to a batch, or to all.
//!
//! Nothing of this is kept beside the tables. A listener has a notify that the Announcer rings, looks
//! at the table when it rings, and tells what is new since its last look. So one that is slow, or
//! was away for a while, costs nothing and misses no state that lasts; many changes in a short time
//! are one.

mod all;
mod batch;
mod job;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use crate::actor::message::{Subject, Subscribe};
use crate::actor::publisher::CountGuard;
use crate::actor::send;
use crate::server::error::Error;
use crate::server::handle::Handle;

pub use all::{AllEvent, AllEvents, AllFilter};
pub use batch::BatchEvents;
pub use job::{JobEvent, JobEvents, Position};

/// The shortest time between two looks at a job or a batch.
const PAUSE: Duration = Duration::from_millis(100);

/// A place among those who listen to one job or batch, given up when dropped.
struct Subscription {
    notify: Arc<Notify>,
    /// Whether the notify has rung since the last look.
    is_notified: bool,
    next_at: Instant,
    _count: CountGuard,
    _permit: OwnedSemaphorePermit,
}

impl Handle {
    /// Taken before the table is read, so that nothing falls between.
    fn listen(&self, subject: Subject) -> Result<Subscription, Error> {
        let permit = self.wait_permit()?;
        let connections = self.connections();
        let count = CountGuard::take(&connections.publisher.subscriber_counts.subscribers);
        let notify = Arc::new(Notify::new());
        let listen = Subscribe { subject, notify: Arc::downgrade(&notify) };
        if send(&connections.announcer, listen) {
            let (is_notified, next_at) = (false, Instant::now());
            Ok(Subscription { notify, is_notified, next_at, _count: count, _permit: permit })
        } else {
            Err(Error::Stopped)
        }
    }
}

impl Subscription {
    /// Waits until it is time for another look; false where the server stops. Where this or the look
    /// is given up in the middle, the next one comes at once.
    async fn due(&mut self, handle: &Handle) -> bool {
        if !self.is_notified {
            tokio::select! {
                () = self.notify.notified() => self.is_notified = true,
                () = handle.stopped() => return false,
            }
        }
        tokio::time::sleep_until(self.next_at).await;
        true
    }

    /// A look is done.
    fn mark_read(&mut self) {
        self.is_notified = false;
        self.next_at = Instant::now() + PAUSE;
    }
}
