//! Counters of the model server: calls, how they ended, and how many ran at once for how long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The counters that `GET /stats` returns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Number of calls that have started.
    pub requests: u64,
    /// Number of calls in progress.
    pub running: usize,
    /// Maximum number of calls that were in progress at once.
    pub peak_running: usize,
    /// Number of answered calls by HTTP status.
    pub by_status: BTreeMap<u16, u64>,
    /// Number of calls whose connection this server closed on purpose.
    pub hangups: u64,
    /// Number of calls whose client disconnected before the response was sent.
    pub abandoned: u64,
    /// Time from the start of the first call to the end of the last one, or to now while any call
    /// is in progress, in milliseconds.
    pub span_ms: f64,
    /// Milliseconds of that time by the number of calls in progress: `{1: 25.0, 2: 30.0}` means one
    /// call for 25 ms and two at once for 30 ms.
    pub running_ms: BTreeMap<usize, f64>,
}

/// The way in which a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// A response with this status was sent.
    Status(u16),
    /// The server closed the connection on purpose.
    Hangup,
    /// The client disconnected.
    Abandoned,
}

/// The counters, shared by all connections.
#[derive(Debug, Clone, Default)]
pub struct CallCounter(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    stats: Stats,
    /// Time spent at each number of calls in progress; the index is the number of calls.
    spent: Vec<Duration>,
    /// Time of the last change of the number of calls in progress; `None` before the first call.
    changed_at: Option<Instant>,
}

impl Counts {
    /// Changes the number of calls in progress, and adds the time since the last change to `spent`.
    fn change_to(&mut self, running: usize, now: Instant) {
        if let Some(changed_at) = self.changed_at {
            if self.spent.len() <= self.stats.running {
                self.spent.resize(self.stats.running + 1, Duration::ZERO);
            }
            self.spent[self.stats.running] += now.saturating_duration_since(changed_at);
        }
        self.changed_at = Some(now);
        self.stats.running = running;
        self.stats.peak_running = self.stats.peak_running.max(running);
    }

    /// Counts the start of a call and returns its number.
    fn start(&mut self, now: Instant) -> u64 {
        self.stats.requests += 1;
        self.change_to(self.stats.running + 1, now);
        self.stats.requests
    }

    /// Counts the end of a call.
    fn end(&mut self, end: CallEnd, now: Instant) {
        match end {
            CallEnd::Status(status) => *self.stats.by_status.entry(status).or_default() += 1,
            CallEnd::Hangup => self.stats.hangups += 1,
            CallEnd::Abandoned => self.stats.abandoned += 1,
        }
        self.change_to(self.stats.running.saturating_sub(1), now);
    }

    /// Returns the counters at a time.
    fn snapshot(&mut self, now: Instant) -> Stats {
        // Idle time after the last call is not counted. Otherwise `span_ms` would depend on the
        // time at which the counters are read.
        if self.stats.running > 0 {
            self.change_to(self.stats.running, now);
        }
        let millis = |spent: &Duration| spent.as_micros() as f64 / 1_000.0;
        let spent = self.spent.iter().enumerate().filter(|(_, spent)| !spent.is_zero());
        Stats {
            span_ms: self.spent.iter().map(millis).sum(),
            running_ms: spent.map(|(running, spent)| (running, millis(spent))).collect(),
            ..self.stats.clone()
        }
    }

    /// Sets the counters to zero, except for the calls in progress.
    fn reset(&mut self, now: Instant) {
        let running = self.stats.running;
        let stats = Stats { running, peak_running: running, ..Stats::default() };
        let changed_at = (running > 0).then_some(now);
        *self = Self { stats, spent: Vec::new(), changed_at };
    }
}

impl CallCounter {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // A poisoned lock is safe to use: every intermediate state of the counters is valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the start of a call.
    pub fn start_call(&self) -> Call {
        let number = self.counts().start(Instant::now());
        Call { counter: self.clone(), number, has_ended: false }
    }

    /// Returns the current counters.
    pub fn snapshot(&self) -> Stats {
        self.counts().snapshot(Instant::now())
    }

    /// Sets the counters to zero. Calls in progress remain counted as running.
    pub fn reset(&self) {
        self.counts().reset(Instant::now());
    }
}

/// A call in progress. A call that is dropped before its end counts as abandoned.
#[derive(Debug)]
pub struct Call {
    counter: CallCounter,
    number: u64,
    has_ended: bool,
}

impl Call {
    /// Returns the number of the call, counted from 1 since the start or the last reset.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Counts the end of the call.
    pub fn end(mut self, end: CallEnd) {
        self.close(end);
    }

    fn close(&mut self, end: CallEnd) {
        if !self.has_ended {
            self.has_ended = true;
            self.counter.counts().end(end, Instant::now());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.close(CallEnd::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_at_each_number_of_calls_is_reported() {
        let mut counts = Counts::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        counts.start(at(0));
        counts.start(at(10));
        counts.end(CallEnd::Status(200), at(40));
        counts.end(CallEnd::Hangup, at(45));
        counts.start(at(50));
        counts.end(CallEnd::Abandoned, at(60));
        let stats = counts.snapshot(at(1_000));
        let spent: Vec<(usize, u64)> =
            stats.running_ms.iter().map(|(running, ms)| (*running, ms.round() as u64)).collect();
        assert_eq!(spent, [(0, 5), (1, 25), (2, 30)]);
        assert_eq!((stats.requests, stats.running, stats.peak_running), (3, 0, 2));
        assert_eq!((stats.by_status[&200], stats.hangups, stats.abandoned), (1, 1, 1));
        assert!((stats.span_ms - 60.0).abs() < 0.001, "{}", stats.span_ms);
    }

    #[test]
    fn a_reset_keeps_the_calls_in_progress() {
        let counter = CallCounter::default();
        let call = counter.start_call();
        counter.reset();
        let stats = counter.snapshot();
        assert_eq!((stats.requests, stats.running, stats.peak_running), (0, 1, 1));
        call.end(CallEnd::Status(200));
        assert_eq!(counter.snapshot().running, 0);
    }
}
