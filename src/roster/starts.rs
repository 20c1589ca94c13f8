//! A sliding-window log of the starts of one queue, for its rate limit.
//!
//! The log holds the times of recent starts, and counts those within the last period. Unlike a
//! counter that is reset at fixed times, this enforces the limit in every window. For example, with
//! a limit of 3 starts in 10 s and starts at 1 s, 4 s and 9 s:
//!
//! - at 10 s, all three starts are in the window, so no further job may start;
//! - at 11 s, the start at 1 s leaves the window and one more job may start.

use std::collections::VecDeque;

use crate::job::queue::Rate;
use crate::job::time::Timestamp;

/// Starts of a queue, by time, and their total. Older starts are removed when new ones are added.
#[derive(Debug, Default)]
pub(super) struct Starts {
    by_time: VecDeque<(Timestamp, u32)>,
    total: u32,
}

impl Starts {
    /// Returns the number of starts in the period that ends at `now`.
    pub(super) fn within(&self, rate: Rate, now: Timestamp) -> u32 {
        let since = now.minus(rate.period.duration());
        let expired = self.by_time.iter().take_while(|(at, _)| *at <= since);
        self.total - expired.map(|(_, count)| count).sum::<u32>()
    }

    /// Adds `count` starts at `now` and removes those that have left the window.
    pub(super) fn add(&mut self, count: u32, rate: Rate, now: Timestamp) {
        let since = now.minus(rate.period.duration());
        while let Some((_, expired)) = self.by_time.pop_front_if(|(at, _)| *at <= since) {
            self.total -= expired;
        }
        self.total += count;
        match self.by_time.back_mut() {
            Some((at, total)) if *at == now => *total += count,
            _ => self.by_time.push_back((now, count)),
        }
    }

    /// Returns the time at which the oldest start in the window at `now` leaves it.
    pub(super) fn frees_at(&self, rate: Rate, now: Timestamp) -> Option<Timestamp> {
        let since = now.minus(rate.period.duration());
        let oldest = self.by_time.iter().find(|(at, _)| *at > since)?;
        Some(oldest.0.plus(rate.period.duration()))
    }
}
