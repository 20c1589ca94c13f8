//! What others learn of a transaction: those who wait for an end, those who listen, the charts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::Addr;

use crate::actor::announcer::Announcer;
use crate::actor::message::{Announce, ChangedJob};
use crate::actor::send;
use crate::actor::shared_recorder::SharedRecorder;
use crate::job::{BatchId, JobId, QueueName, State, Timestamp};
use crate::store::Change;

/// How many wait for an end, and how many listen. Where nobody does, nothing is announced.
///
/// Whoever begins after a look at these reads the table afterwards, and sees there what he missed.
#[derive(Debug, Clone, Default)]
pub(crate) struct SubscriberCounts {
    pub(crate) waiters: Arc<AtomicUsize>,
    pub(crate) subscribers: Arc<AtomicUsize>,
}

/// A place among an audience, given up when dropped.
#[derive(Debug)]
pub(crate) struct CountGuard(Arc<AtomicUsize>);

impl CountGuard {
    /// Takes a place among those who are counted there.
    pub(crate) fn take(counted: &Arc<AtomicUsize>) -> Self {
        counted.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counted))
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Makes transactions known.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) subscriber_counts: SubscriberCounts,
    pub(crate) recorder: SharedRecorder,
}

/// What a transaction granted.
pub(crate) struct CommitEffects<'a> {
    pub(crate) changes: &'a [Change],
    pub(crate) reported: Vec<(JobId, QueueName)>,
    pub(crate) ended_batches: Vec<BatchId>,
}

impl Publisher {
    /// Counts for the charts what has moved.
    pub(crate) fn record(&self, changes: &[Change], now: Timestamp) {
        self.recorder.with(|recorder| recorder.record(changes, now));
    }

    /// Tells the Announcer, where somebody wants to know. False where it is gone.
    pub(crate) fn announce(&self, granted: CommitEffects<'_>, announcer: &Addr<Announcer>) -> bool {
        let CommitEffects { changes, reported, ended_batches } = granted;
        let mut announce = Announce::default();
        if self.subscriber_counts.waiters.load(Ordering::SeqCst) > 0 {
            let is_end = |change: &&Change| change.to.is_some_and(State::is_final);
            announce.jobs = changes.iter().filter(is_end).map(|change| change.job).collect();
            announce.batches = ended_batches;
        }
        if self.subscriber_counts.subscribers.load(Ordering::SeqCst) > 0 {
            let reported = reported.into_iter().map(ChangedJob::from);
            announce.changed = changes.iter().map(ChangedJob::from).chain(reported).collect();
        }
        announce.is_empty() || send(announcer, announce)
    }
}

impl From<(JobId, QueueName)> for ChangedJob {
    /// Batches do not tell how far their jobs are.
    fn from((job, queue): (JobId, QueueName)) -> Self {
        Self { job, queue, batch: None }
    }
}

impl From<&Change> for ChangedJob {
    fn from(change: &Change) -> Self {
        Self { job: change.job, queue: change.queue.clone(), batch: change.batch }
    }
}
