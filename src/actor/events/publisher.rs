//! The Publisher: passes the effects of each commit group on to the Announcer and to the recorder.
//!
//! It belongs to the Writer. It promises that a client that registered before it read the row is
//! notified of every later change, and that nothing is sent if no client is registered and no job has
//! failed for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::Recipient;

use crate::actor::events::failure_log::FailedJob;
use crate::actor::events::shared_recorder::SharedRecorder;
use crate::actor::message::{Announce, ChangedJob};
use crate::actor::send_to;
use crate::job::{BatchId, JobId, Lane, QueueName, State, Timestamp};
use crate::store::Change;

/// Numbers of registered clients, shared with the `Handle`. If all are zero, nothing is announced.
///
/// A client registers here before it reads the row. If the Writer read the count just before that,
/// the change is already committed, so the client's read finds it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientCounts {
    /// Number of clients that wait for the end of a job or batch.
    pub(crate) waiters: Arc<AtomicUsize>,
    /// Number of remote workers that watch their leases.
    pub(crate) lease_watches: Arc<AtomicUsize>,
    /// Number of subscribers of event streams.
    pub(crate) subscribers: Arc<AtomicUsize>,
}

/// One registered client in a count; dropping it decrements the count.
#[derive(Debug)]
pub(crate) struct CountGuard(Arc<AtomicUsize>);

impl CountGuard {
    /// Increments `count` for as long as the guard lives.
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Passes the effects of commit groups on. See the module documentation.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) client_counts: ClientCounts,
    pub(crate) recorder: SharedRecorder,
}

/// Effects of one commit group about which subscribers and waiting clients are notified.
pub(crate) struct CommitEffects<'a> {
    /// Jobs that changed state.
    pub(crate) changes: &'a [Change],
    /// Jobs that reported progress or log lines, with their queues.
    pub(crate) reported: Vec<(JobId, QueueName)>,
    /// Batches whose last job became final.
    pub(crate) ended_batches: Vec<BatchId>,
    /// Batches that were closed.
    pub(crate) closed_batches: Vec<BatchId>,
    /// Running jobs that were cancelled, so that their attempts should stop.
    pub(crate) cancelled: Vec<JobId>,
}

impl Publisher {
    /// Counts the changes for charts and statistics.
    pub(crate) fn record(&self, changes: &[Change], now: Timestamp) {
        self.recorder.with(|recorder| recorder.record(changes, now));
    }

    /// Sends the effects to the Announcer if a client is registered for them, and jobs that failed for
    /// good in any case. Returns false if the Announcer is gone.
    pub(crate) fn announce(
        &self,
        effects: CommitEffects<'_>,
        announcer: &Recipient<Announce>,
    ) -> bool {
        let CommitEffects { changes, reported, ended_batches, closed_batches, cancelled } = effects;
        let mut announce = Announce { failed: FailedJob::all(changes), ..Announce::default() };
        if self.client_counts.waiters.load(Ordering::SeqCst) > 0 {
            let is_end = |change: &&Change| change.to.is_some_and(State::is_final);
            announce.ended_jobs = changes.iter().filter(is_end).map(|change| change.job).collect();
            announce.ended_batches = ended_batches;
        }
        if self.client_counts.lease_watches.load(Ordering::SeqCst) > 0 {
            let is_end = |change: &&Change| {
                change.lane == Lane::Remote && change.from == Some(State::Running)
            };
            let ended = changes.iter().filter(is_end).map(|change| change.job);
            announce.stopped = ended.chain(cancelled).collect();
        }
        if self.client_counts.subscribers.load(Ordering::SeqCst) > 0 {
            let reported = reported.into_iter().map(ChangedJob::from);
            announce.closed_batches = closed_batches;
            announce.changed = changes.iter().map(ChangedJob::from).chain(reported).collect();
        }
        announce.is_empty() || send_to(announcer, announce)
    }
}

impl From<(JobId, QueueName)> for ChangedJob {
    /// No batch is set, because subscribers of a batch do not get the progress of its jobs.
    fn from((job, queue): (JobId, QueueName)) -> Self {
        Self { job, queue, batch: None }
    }
}

impl From<&Change> for ChangedJob {
    fn from(change: &Change) -> Self {
        Self { job: change.job, queue: change.queue.clone(), batch: change.batch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::test_kit::{at, probe};
    use crate::job::FailedAttempt;
    use crate::metrics::recorder::Recorder;

    fn completed(job: i64) -> Change {
        Change {
            provider: None,
            key: None,
            job: JobId(job),
            queue: "mail".parse().unwrap(),
            lane: Lane::Async,
            remote_kind: None,
            batch: None,
            from_queue: None,
            failed: None,
            from: Some(State::Running),
            to: Some(State::Completed),
            due_at: None,
            took: None,
        }
    }

    #[actix_web::test]
    async fn each_effect_is_announced_only_if_a_client_is_registered_for_it() {
        let (announcer, mut announced) = probe();
        let recorder = SharedRecorder::new(Recorder::new(at(0), Vec::new(), 0));
        let publisher = Publisher { client_counts: ClientCounts::default(), recorder };
        let changes = [completed(1)];
        let publish = || {
            let reported = vec![(JobId(2), "mail".parse().unwrap())];
            let ended_batches = vec![BatchId(3)];
            let (closed_batches, cancelled) = (vec![BatchId(4)], vec![JobId(4)]);
            let effects = CommitEffects {
                changes: &changes,
                reported,
                ended_batches,
                closed_batches,
                cancelled,
            };
            assert!(publisher.announce(effects, &announcer));
        };
        let counts = &publisher.client_counts;
        publish();
        let waiter = CountGuard::new(&counts.waiters);
        publish();
        drop(waiter);
        let _subscriber = CountGuard::new(&counts.subscribers);
        publish();
        let _watch = CountGuard::new(&counts.lease_watches);
        publish();
        let first: Announce = announced.next().await;
        assert_eq!((first.ended_jobs, first.ended_batches), (vec![JobId(1)], vec![BatchId(3)]));
        assert!(first.changed.is_empty());
        let second = announced.next().await;
        assert_eq!(second.changed.iter().map(|job| job.job.0).collect::<Vec<_>>(), [1, 2]);
        assert!(second.ended_jobs.is_empty() && second.stopped.is_empty());
        // The completed job is not one of a remote worker.
        assert_eq!(announced.next().await.stopped, [JobId(4)]);
        assert!(announced.try_next().is_none());
    }

    #[actix_web::test]
    async fn a_job_that_failed_for_good_is_announced_without_any_client() {
        let (announcer, mut announced) = probe();
        let recorder = SharedRecorder::new(Recorder::new(at(0), Vec::new(), 0));
        let publisher = Publisher { client_counts: ClientCounts::default(), recorder };
        let attempt = FailedAttempt { kind: "echo".into(), attempt: 5, code: "x".into() };
        let failed = Some(Box::new(attempt.clone()));
        let changes = [completed(1), Change { failed, ..completed(2) }];
        let (reported, ended_batches, cancelled) = (Vec::new(), Vec::new(), Vec::new());
        let closed_batches = Vec::new();
        let effects =
            CommitEffects { changes: &changes, reported, ended_batches, closed_batches, cancelled };
        assert!(publisher.announce(effects, &announcer));
        let announce: Announce = announced.next().await;
        let failed = FailedJob { job: JobId(2), queue: "mail".parse().unwrap(), attempt };
        assert_eq!(announce.failed, [failed]);
        assert!(announce.ended_jobs.is_empty() && announce.changed.is_empty());
    }
}
