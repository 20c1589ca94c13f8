//! What happens, told as it happens: to who listens to a job, to a batch, or to all.
//!
//! Nothing of this is kept beside the tables. A listener has a bell that the Announcer rings, looks
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

use crate::actor::message::{Listen, Subject};
use crate::actor::publish::Seat;
use crate::actor::tell;
use crate::server::error::Error;
use crate::server::handle::Handle;

pub use all::{AllEvent, AllEvents, AllFilter};
pub use batch::BatchEvents;
pub use job::{JobEvent, JobEvents, Position};

/// The shortest time between two looks at a job or a batch.
const PAUSE: Duration = Duration::from_millis(100);

/// A place among those who listen to one job or batch, given up when dropped.
struct Listening {
    bell: Arc<Notify>,
    /// Whether the bell has rung since the last look.
    is_rung: bool,
    next_at: Instant,
    _seat: Seat,
    _permit: OwnedSemaphorePermit,
}

impl Handle {
    /// Taken before the table is read, so that nothing falls between.
    fn listen(&self, subject: Subject) -> Result<Listening, Error> {
        let permit = self.wait_permit()?;
        let door = self.door();
        let seat = Seat::take(&door.publisher.audience.listening);
        let bell = Arc::new(Notify::new());
        let listen = Listen { subject, bell: Arc::downgrade(&bell) };
        if tell(&door.announcer, listen) {
            let (is_rung, next_at) = (false, Instant::now());
            Ok(Listening { bell, is_rung, next_at, _seat: seat, _permit: permit })
        } else {
            Err(Error::Stopped)
        }
    }
}

impl Listening {
    /// Waits until it is time for another look; false where the server stops. Where this or the look
    /// is given up in the middle, the next one comes at once.
    async fn due(&mut self, handle: &Handle) -> bool {
        if !self.is_rung {
            tokio::select! {
                () = self.bell.notified() => self.is_rung = true,
                () = handle.stopped() => return false,
            }
        }
        tokio::time::sleep_until(self.next_at).await;
        true
    }

    /// A look is done.
    fn looked(&mut self) {
        self.is_rung = false;
        self.next_at = Instant::now() + PAUSE;
    }
}
