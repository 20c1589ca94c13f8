//! What the model server counts: requests, their ends, and how many ran at once for how long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The counts as `GET /stats` shows them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// How many calls have begun.
    pub requests: u64,
    /// How many are under way.
    pub running: usize,
    /// The most that were ever under way at once.
    pub peak_running: usize,
    /// Calls answered, by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Calls whose connection this server closed on purpose.
    pub hangups: u64,
    /// Calls whose client went away before the answer.
    pub abandoned: u64,
    /// From the first call's begin to the last one's end, or to now while any is under way.
    pub span_ms: f64,
    /// For how many milliseconds of that span how many calls were under way.
    pub running_ms: BTreeMap<usize, f64>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an answer of this status.
    Status(u16),
    /// With a connection closed on purpose.
    Hangup,
    /// With a client gone.
    Abandoned,
}

/// The counts, shared by all connections.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    stats: Stats,
    /// The time spent at each number of calls under way.
    spent: Vec<Duration>,
    /// When the number of calls under way last changed; none before the first call.
    changed: Option<Instant>,
}

impl Counts {
    fn change_to(&mut self, running: usize, now: Instant) {
        if let Some(changed) = self.changed {
            if self.spent.len() <= self.stats.running {
                self.spent.resize(self.stats.running + 1, Duration::ZERO);
            }
            self.spent[self.stats.running] += now.saturating_duration_since(changed);
        }
        self.changed = Some(now);
        self.stats.running = running;
        self.stats.peak_running = self.stats.peak_running.max(running);
    }

    fn begin(&mut self, now: Instant) -> u64 {
        self.stats.requests += 1;
        self.change_to(self.stats.running + 1, now);
        self.stats.requests
    }

    fn end(&mut self, end: End, now: Instant) {
        match end {
            End::Status(status) => *self.stats.by_status.entry(status).or_default() += 1,
            End::Hangup => self.stats.hangups += 1,
            End::Abandoned => self.stats.abandoned += 1,
        }
        self.change_to(self.stats.running.saturating_sub(1), now);
    }

    fn snapshot(&mut self, now: Instant) -> Stats {
        // Idle time behind the last call is not counted, or the span would end with the question.
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

    fn reset(&mut self, now: Instant) {
        let running = self.stats.running;
        let stats = Stats { running, peak_running: running, ..Stats::default() };
        let changed = (running > 0).then_some(now);
        *self = Self { stats, spent: Vec::new(), changed };
    }
}

impl Counter {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts stay whole even where a holder panicked: each change is a few additions.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call that begins.
    pub fn begin(&self) -> Call {
        let number = self.counts().begin(Instant::now());
        Call { counter: self.clone(), number, ended: false }
    }

    /// The counts as they stand.
    pub fn snapshot(&self) -> Stats {
        self.counts().snapshot(Instant::now())
    }

    /// Begins anew; calls under way stay counted as such.
    pub fn reset(&self) {
        self.counts().reset(Instant::now());
    }
}

/// A call under way. Dropped before its end, it counts as abandoned.
#[derive(Debug)]
pub struct Call {
    counter: Counter,
    number: u64,
    ended: bool,
}

impl Call {
    /// Its number, from 1, since the start or the last reset.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Counts its end.
    pub fn end(mut self, end: End) {
        self.close(end);
    }

    fn close(&mut self, end: End) {
        if !self.ended {
            self.ended = true;
            self.counter.counts().end(end, Instant::now());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.close(End::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_at_each_level_is_told() {
        let mut counts = Counts::default();
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        counts.begin(at(0));
        counts.begin(at(10));
        counts.end(End::Status(200), at(40));
        counts.end(End::Hangup, at(45));
        counts.begin(at(50));
        counts.end(End::Abandoned, at(60));
        let stats = counts.snapshot(at(1_000));
        let spent: Vec<(usize, u64)> =
            stats.running_ms.iter().map(|(running, ms)| (*running, ms.round() as u64)).collect();
        assert_eq!(spent, [(0, 5), (1, 25), (2, 30)]);
        assert_eq!((stats.requests, stats.running, stats.peak_running), (3, 0, 2));
        assert_eq!((stats.by_status[&200], stats.hangups, stats.abandoned), (1, 1, 1));
        assert!((stats.span_ms - 60.0).abs() < 0.001, "{}", stats.span_ms);
    }

    #[test]
    fn a_reset_keeps_what_is_under_way() {
        let counter = Counter::default();
        let call = counter.begin();
        counter.reset();
        let stats = counter.snapshot();
        assert_eq!((stats.requests, stats.running, stats.peak_running), (0, 1, 1));
        call.end(End::Status(200));
        assert_eq!(counter.snapshot().running, 0);
    }
}
