//! When attempts of a queue started, as far as its rate limit has to know.

use std::collections::VecDeque;

use crate::job::queue::Rate;
use crate::job::time::Timestamp;

/// The starts of a queue within its rate's period.
#[derive(Debug, Default)]
pub(super) struct Starts {
    by_time: VecDeque<(Timestamp, u32)>,
    total: u32,
}

impl Starts {
    /// How many starts lie within the period that ends at `now`.
    pub(super) fn within(&self, rate: Rate, now: Timestamp) -> u32 {
        let since = now.minus(rate.period.duration());
        let over = self.by_time.iter().take_while(|(at, _)| *at <= since).map(|(_, count)| count);
        self.total - over.sum::<u32>()
    }

    /// Adds starts and forgets those that no longer count.
    pub(super) fn add(&mut self, count: u32, rate: Rate, now: Timestamp) {
        let since = now.minus(rate.period.duration());
        while let Some((_, over)) = self.by_time.pop_front_if(|(at, _)| *at <= since) {
            self.total -= over;
        }
        self.total += count;
        match self.by_time.back_mut() {
            Some((at, counted)) if *at == now => *counted += count,
            _ => self.by_time.push_back((now, count)),
        }
    }

    /// When the oldest start that counts at `now` stops counting.
    pub(super) fn frees_at(&self, rate: Rate, now: Timestamp) -> Option<Timestamp> {
        let since = now.minus(rate.period.duration());
        let oldest = self.by_time.iter().find(|(at, _)| *at > since)?;
        Some(oldest.0.plus(rate.period.duration()))
    }
}
