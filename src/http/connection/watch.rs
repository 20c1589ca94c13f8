//! Ends connections of one thread that make no progress.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::admission::Admission;
use super::progress::Progress;

/// Interval in which the connections are looked at: one second, the unit of [`Progress`].
const TICK: Duration = Duration::from_secs(1);

/// The connections of one thread. While there are any, one timer counts the seconds of all of them.
pub(super) struct Watch {
    admission: Arc<Admission>,
    connections: RefCell<Vec<Weak<Progress>>>,
    is_running: Cell<bool>,
}

impl Watch {
    pub(super) fn new(admission: Arc<Admission>) -> Rc<Self> {
        let (connections, is_running) = (RefCell::default(), Cell::default());
        Rc::new(Self { admission, connections, is_running })
    }

    /// Adds a connection, and starts to count if it is the only one.
    pub(super) fn add(self: &Rc<Self>, progress: &Rc<Progress>) {
        self.connections.borrow_mut().push(Rc::downgrade(progress));
        if !self.is_running.replace(true) {
            actix_web::rt::spawn(run(Rc::clone(self)));
        }
    }

    /// Counts a second for each connection. Returns whether any is left.
    fn tick(&self) -> bool {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|progress| match progress.upgrade() {
            Some(progress) => {
                progress.tick();
                true
            }
            None => false,
        });
        !connections.is_empty()
    }

    /// Ends the connection whose client loses least, and of several the oldest. Returns whether there is
    /// one.
    pub(super) fn end_one(&self) -> bool {
        let connections = self.connections.borrow();
        // Of several equal ones `max_by_key` returns the last, which is the oldest here.
        let spared = connections.iter().rev().filter_map(Weak::upgrade);
        let ranked = spared.filter_map(|progress| Some((progress.spare_rank()?, progress)));
        let Some((_, progress)) = ranked.max_by_key(|(rank, _)| *rank) else { return false };
        progress.end();
        true
    }
}

/// Counts the seconds until no connection is left.
async fn run(watch: Rc<Watch>) {
    let mut ticks = interval(TICK);
    // Seconds during which the thread was busy with one task are not held against the others.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is immediate.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if !watch.tick() {
                    watch.is_running.set(false);
                    return;
                }
            }
            () = watch.admission.room_wanted() => {
                watch.end_one();
            }
        }
    }
}
