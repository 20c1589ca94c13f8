//! What others learn of a transaction: those who wait for an end, those who listen, the charts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::Addr;

use crate::actor::announcer::Announcer;
use crate::actor::message::{Announce, Moved};
use crate::actor::tallying::Tallying;
use crate::actor::tell;
use crate::job::tally::Move;
use crate::job::{BatchId, JobId, QueueName, State, Timestamp};
use crate::store::Change;

/// How many wait for an end, and how many listen. Where nobody does, nothing is announced.
///
/// Whoever begins after a look at these reads the table afterwards, and sees there what he missed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Audience {
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(crate) listening: Arc<AtomicUsize>,
}

/// A place among an audience, given up when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Seat {
    /// Takes a place among those who are counted there.
    pub(crate) fn take(counted: &Arc<AtomicUsize>) -> Self {
        counted.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counted))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Makes transactions known.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) audience: Audience,
    pub(crate) tallying: Tallying,
}

/// What a transaction brought.
pub(crate) struct Brought<'a> {
    pub(crate) changes: &'a [Change],
    pub(crate) reported: Vec<(JobId, QueueName)>,
    pub(crate) ended_batches: Vec<BatchId>,
}

impl Publisher {
    /// Counts for the charts what has moved.
    pub(crate) fn tally(&self, changes: &[Change], now: Timestamp) {
        let moves = changes.iter().map(|change| Move {
            queue: &change.queue,
            lane: change.lane,
            from: change.from,
            to: change.to,
            took: change.took,
        });
        self.tallying.with(|tallies| tallies.note(moves, now));
    }

    /// Tells the Announcer, where somebody wants to know. False where it is gone.
    pub(crate) fn announce(&self, brought: Brought<'_>, announcer: &Addr<Announcer>) -> bool {
        let Brought { changes, reported, ended_batches } = brought;
        let mut announce = Announce::default();
        if self.audience.waiting.load(Ordering::SeqCst) > 0 {
            let is_end = |change: &&Change| change.to.is_some_and(State::is_final);
            announce.jobs = changes.iter().filter(is_end).map(|change| change.job).collect();
            announce.batches = ended_batches;
        }
        if self.audience.listening.load(Ordering::SeqCst) > 0 {
            let reported = reported.into_iter().map(Moved::from);
            announce.moved = changes.iter().map(Moved::from).chain(reported).collect();
        }
        announce.is_empty() || tell(announcer, announce)
    }
}

impl From<(JobId, QueueName)> for Moved {
    /// Batches do not tell how far their jobs are.
    fn from((job, queue): (JobId, QueueName)) -> Self {
        Self { job, queue, batch: None }
    }
}

impl From<&Change> for Moved {
    fn from(change: &Change) -> Self {
        Self { job: change.job, queue: change.queue.clone(), batch: change.batch }
    }
}
