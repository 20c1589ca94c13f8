//! What happens, counted by queue and by stretches of ten seconds: what the charts are drawn from.

use crate::job::histogram::Histogram;
use crate::job::queue::{QueueName, StateCounts};
use crate::job::stats::STEP;
use crate::job::{Change, State, Timestamp};

/// What happened in one stretch of time, and how things stood at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Jobs that were submitted.
    pub submitted: u64,
    /// Attempts that began.
    pub started: u64,
    /// Jobs that were completed.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Attempts that failed and are made again.
    pub retried: u64,
    /// Jobs that waited at its end.
    pub waiting: u64,
    /// Jobs that ran at its end.
    pub running: u64,
    /// How long attempts were due before they began.
    pub start: Histogram,
    /// How long attempts took.
    pub run: Histogram,
}

impl Counters {
    /// Adds what happened later, or elsewhere at the same time.
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

    /// How much happened.
    pub(super) fn total_events(&self) -> u64 {
        self.submitted + self.started + self.completed + self.failed + self.cancelled
    }

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

    pub(super) fn set_gauges(&mut self, jobs: &StateCounts) {
        self.waiting = u64::try_from(jobs.live() - jobs.running).unwrap_or(0);
        self.running = u64::try_from(jobs.running).unwrap_or(0);
    }
}

/// Of how many queues a stretch is kept: those in which most happened. So what is written every ten
/// seconds is bounded however many queues there are.
pub const MAX_QUEUES_PER_BUCKET: usize = 200;

/// One stretch of time: the queues in which most happened, and all together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeBucket {
    /// When it began.
    pub began_at: Timestamp,
    /// By queue; at most [`MAX_QUEUES_PER_BUCKET`].
    pub queues: Vec<(QueueName, Counters)>,
    /// All together.
    pub all: Counters,
}

/// When the stretch began that goes on at this time.
pub fn bucket_start(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis() - at.millis().rem_euclid(STEP.millis()))
}
