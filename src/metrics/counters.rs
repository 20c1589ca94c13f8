//! Counters of the events in one time bucket (ten seconds), from which the charts are drawn.

use serde::{Deserialize, Serialize};

use crate::job::queue::StateCounts;
use crate::job::{Change, State};
use crate::metrics::histogram::Histogram;

/// Number of events in one time bucket, and of the waiting and running jobs at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketCounts {
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
    /// Number of jobs that were queued, scheduled or retrying at the end of the bucket.
    pub waiting: u64,
    /// Number of jobs that were running at the end of the bucket.
    pub running: u64,
}

impl BucketCounts {
    /// Returns the number of jobs that reached a final state.
    pub fn finished(&self) -> u64 {
        self.completed + self.failed + self.cancelled
    }

    /// Returns the number of events, to find the most active queues.
    pub(super) fn total_events(&self) -> u64 {
        self.submitted + self.started + self.finished()
    }

    /// Adds the events of another bucket or queue, but not its waiting and running jobs.
    fn add(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.started += other.started;
        self.completed += other.completed;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.retried += other.retried;
    }

    /// Returns only the waiting and running jobs at the end of the bucket, without its events.
    pub(super) fn gauges(&self) -> Self {
        Self { waiting: self.waiting, running: self.running, ..Self::default() }
    }

    /// Returns the waiting and running jobs at the start of the bucket, computed from the numbers at
    /// its end and its events.
    pub(super) fn gauges_before(&self) -> Self {
        let ended = self.finished() + self.retried;
        Self {
            waiting: (self.waiting + self.started).saturating_sub(self.submitted + self.retried),
            running: (self.running + ended).saturating_sub(self.started),
            ..Self::default()
        }
    }
}

/// Counts of one time bucket, and the durations of its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Number of events, and of the waiting and running jobs at the end of the bucket.
    pub counts: BucketCounts,
    /// Time between the moment a job became due and the start of its attempt.
    pub start: Histogram,
    /// Time between the start and the end of an attempt.
    pub run: Histogram,
}

impl Counters {
    /// Adds the events of another bucket or queue, but not its waiting and running jobs.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.start.add(&other.start);
        self.run.add(&other.run);
    }

    /// Counts a change of a job's state.
    pub(super) fn record(&mut self, change: &Change) {
        if change.from.is_none() {
            self.counts.submitted += 1;
        }
        let took = change.took.and_then(|took| u64::try_from(took.millis()).ok());
        if let (Some(State::Running), Some(took)) = (change.from, took) {
            self.run.record(took);
        }
        match change.to.filter(|_| change.to != change.from) {
            Some(State::Running) => {
                self.counts.started += 1;
                self.start.record(took.unwrap_or(0));
            }
            Some(State::Completed) => self.counts.completed += 1,
            Some(State::Failed) => self.counts.failed += 1,
            Some(State::Cancelled) => self.counts.cancelled += 1,
            // Not a job that was moved back by an update.
            Some(State::Retrying) if change.from == Some(State::Running) => {
                self.counts.retried += 1;
            }
            _ => {}
        }
    }

    /// Sets `waiting` and `running` from the number of jobs in each state.
    pub(super) fn set_gauges(&mut self, jobs: &StateCounts) {
        self.counts.waiting = u64::try_from(jobs.waiting()).unwrap_or(0);
        self.counts.running = u64::try_from(jobs.running).unwrap_or(0);
    }
}
