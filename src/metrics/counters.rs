//! Counters of events by queue and time bucket (ten seconds), from which the charts are drawn.

use crate::job::queue::{QueueName, StateCounts};
use crate::job::{Change, State, Timestamp};
use crate::metrics::histogram::Histogram;
use crate::metrics::stats::STEP;

/// Counts of events in one time bucket, and of the waiting and running jobs at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Number of jobs that were submitted.
    pub submitted: u64,
    /// Number of attempts that started.
    pub started: u64,
    /// Number of jobs that completed.
    pub completed: u64,
    /// Number of jobs that reached the state `failed`.
    pub failed: u64,
    /// Number of jobs that were cancelled.
    pub cancelled: u64,
    /// Number of attempts that failed and are followed by another.
    pub retried: u64,
    /// Number of jobs that were waiting at the end of the bucket: live jobs that were not running.
    pub waiting: u64,
    /// Number of jobs that were running at the end of the bucket.
    pub running: u64,
    /// Time between the moment a job became due and the start of its attempt.
    pub start: Histogram,
    /// Time between the start and the end of an attempt.
    pub run: Histogram,
}

impl Counters {
    /// Adds the events of another bucket or queue, but not its waiting and running jobs.
    pub fn add(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.started += other.started;
        self.completed += other.completed;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.retried += other.retried;
        self.start.add(&other.start);
        self.run.add(&other.run);
    }

    /// Returns the number of events, to find the most active queues.
    pub(super) fn total_events(&self) -> u64 {
        self.submitted + self.started + self.completed + self.failed + self.cancelled
    }

    /// Counts a change of a job's state.
    pub(super) fn record(&mut self, change: &Change) {
        if change.from.is_none() {
            self.submitted += 1;
        }
        let took = change.took.and_then(|took| u64::try_from(took.millis()).ok());
        if let (Some(State::Running), Some(took)) = (change.from, took) {
            self.run.record(took);
        }
        match change.to {
            Some(State::Running) => {
                self.started += 1;
                self.start.record(took.unwrap_or(0));
            }
            Some(State::Completed) => self.completed += 1,
            Some(State::Failed) => self.failed += 1,
            Some(State::Cancelled) => self.cancelled += 1,
            Some(State::Retrying) => self.retried += 1,
            _ => {}
        }
    }

    /// Sets `waiting` and `running` from the number of jobs in each state.
    pub(super) fn set_gauges(&mut self, jobs: &StateCounts) {
        self.waiting = u64::try_from(jobs.live() - jobs.running).unwrap_or(0);
        self.running = u64::try_from(jobs.running).unwrap_or(0);
    }
}

/// Maximum number of queues in a time bucket; those with the most events are kept. This bounds the
/// amount of data that is written every ten seconds.
pub const MAX_QUEUES_PER_BUCKET: usize = 200;

/// Counters of ten seconds, for the most active queues and in total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeBucket {
    /// Start of the time bucket.
    pub began_at: Timestamp,
    /// Counters by queue; at most [`MAX_QUEUES_PER_BUCKET`] queues.
    pub queues: Vec<(QueueName, Counters)>,
    /// Sum over all queues, including those that are not in `queues`.
    pub all: Counters,
}

/// Returns the start of the time bucket that contains a time.
pub fn bucket_start(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis() - at.millis().rem_euclid(STEP.millis()))
}
