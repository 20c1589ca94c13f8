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
            Ok(Listening { bell, _seat: seat, _permit: permit })
        } else {
            Err(Error::Stopped)
        }
    }

    /// Waits for the bell; false where the server stops.
    async fn heard(&self, listening: &Listening) -> bool {
        tokio::select! {
            () = listening.bell.notified() => true,
            () = self.stopped() => false,
        }
    }
}
