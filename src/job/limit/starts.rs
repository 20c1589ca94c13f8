//! The recent starts of a queue or provider, for its rate limit.
//!
//! This is a sliding-window log in fixed steps: it holds the number of recent starts by the step in which
//! they happened, and counts those within the last period. Unlike a counter that is reset at fixed times,
//! this enforces the limit in every window. For example, with a limit of 3 starts in 10 s and starts at
//! 1 s, 4 s and 9 s:
//!
//! - at 10 s, all three starts are in the window, so no further job may start;
//! - at 11 s, the start at 1 s leaves the window and one more job may start.
//!
//! A start counts as if it happened at the end of its step, so the limit is never exceeded, and a start is
//! delayed by at most one step. With 128 steps a period the log has at most 129 entries, whatever the
//! limit is, and can be stored with its queue.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::job::queue::Rate;
use crate::job::time::{Span, Timestamp};

/// Number of steps in a period.
const STEPS: i64 = 128;

/// Starts by time, oldest first, as pairs of the end of a step and the number of starts in it. Its JSON form
/// is stored in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Starts(VecDeque<(i64, u32)>);

impl Starts {
    /// Returns the number of starts in the period that ends at `now`.
    pub fn within(&self, rate: Rate, now: Timestamp) -> u32 {
        self.recent(rate, now).map(|(_, count)| count).fold(0, u32::saturating_add)
    }

    /// Returns the starts that are in the window at `now`, oldest first.
    ///
    /// No start counts as later than the end of the current step. A longer period, or a clock that was set
    /// back, leaves starts at later times.
    fn recent(&self, rate: Rate, now: Timestamp) -> impl Iterator<Item = (i64, u32)> {
        let since = now.minus(rate.period.duration()).millis();
        let latest = end_of_step(rate.period, now);
        let recent = self.0.iter().skip_while(move |(at, _)| *at <= since);
        recent.map(move |(at, count)| ((*at).min(latest), *count))
    }

    /// Returns how many more may start at `now`.
    pub fn room(&self, rate: Rate, now: Timestamp) -> u32 {
        rate.limit.saturating_sub(self.within(rate, now))
    }

    /// Adds `count` starts at `now` and removes those that have left the window.
    pub fn add(&mut self, count: u32, rate: Rate, now: Timestamp) {
        let since = now.minus(rate.period.duration()).millis();
        while self.0.pop_front_if(|(at, _)| *at <= since).is_some() {}
        self.repair_clock_skew(rate.period, now);
        let at = end_of_step(rate.period, now);
        match self.0.back_mut() {
            Some((last, total)) if *last == at => *total = total.saturating_add(count),
            _ => self.0.push_back((at, count)),
        }
    }

    /// Returns the time at which the next start is allowed, if none is at `now`: when enough of the oldest
    /// starts have left the window.
    pub fn frees_at(&self, rate: Rate, now: Timestamp) -> Option<Timestamp> {
        let mut within = self.within(rate, now);
        for (at, count) in self.recent(rate, now) {
            within = within.saturating_sub(count);
            if within < rate.limit {
                return Some(Timestamp::from_millis(at).plus(rate.period.duration()));
            }
        }
        None
    }

    /// Moves starts in the future to `now`. They come from a clock that was set back, and would block
    /// the queue for as long as it was set back.
    pub fn repair_clock_skew(&mut self, period: Span, now: Timestamp) {
        let latest = end_of_step(period, now);
        for (at, _) in &mut self.0 {
            *at = (*at).min(latest);
        }
    }
}

/// Returns the end of the step that contains `now`; the start of a step belongs to the step before it.
fn end_of_step(period: Span, now: Timestamp) -> i64 {
    let step = (period.millis() + STEPS - 1) / STEPS;
    let steps = now.millis().div_euclid(step);
    let is_whole = now.millis().rem_euclid(step) == 0;
    (steps + i64::from(!is_whole)).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn rate(limit: u32, millis: i64) -> Rate {
        Rate { limit, period: Span::from_millis(millis) }
    }

    #[test]
    fn the_example_of_the_module_holds() {
        let (rate, mut starts) = (rate(3, 10_000), Starts::default());
        for second in [1, 4, 9] {
            starts.add(1, rate, at(second * 1_000));
        }
        assert_eq!(starts.room(rate, at(10_000)), 0);
        let frees_at = starts.frees_at(rate, at(10_000)).unwrap();
        // At most one step of 78 ms later than without steps.
        assert!((11_000..11_079).contains(&frees_at.millis()), "{frees_at:?}");
        assert_eq!(starts.room(rate, frees_at), 1);
    }

    #[test]
    fn no_window_ever_has_more_starts_than_the_limit_and_the_log_stays_short() {
        let (rate, mut starts) = (rate(50, 1_000), Starts::default());
        let mut times = Vec::new();
        for millis in 0..20_000 {
            let count = starts.room(rate, at(millis)).min(millis as u32 % 3);
            starts.add(count, rate, at(millis));
            times.extend(std::iter::repeat_n(millis, count as usize));
        }
        let most = times.iter().map(|end| {
            times
                .iter()
                .filter(|start| (end - 1_000..=*end).contains(*start) && **start > end - 1_000)
                .count()
        });
        assert_eq!(most.max(), Some(50));
        assert!(times.len() >= 20 * 49, "{}", times.len());
        assert!(starts.0.len() <= STEPS as usize + 1, "{}", starts.0.len());
    }

    #[test]
    fn a_lower_limit_waits_until_enough_starts_have_left() {
        let (wide, narrow, mut starts) = (rate(5, 1_000), rate(2, 1_000), Starts::default());
        for millis in [0, 100, 200, 300, 400] {
            starts.add(1, wide, at(millis));
        }
        let frees_at = starts.frees_at(narrow, at(500)).unwrap();
        assert!((1_300..1_308).contains(&frees_at.millis()), "{frees_at:?}");
        assert_eq!(starts.frees_at(wide, at(500)).map(|at| at.millis() >= 1_000), Some(true));
    }

    #[test]
    fn starts_in_the_future_count_from_now_on_after_a_repair() {
        let (rate, mut starts) = (rate(1, 1_000), Starts::default());
        starts.add(1, rate, at(1_000_000));
        starts.repair_clock_skew(rate.period, at(5_000));
        assert_eq!(starts.room(rate, at(5_000)), 0);
        assert_eq!(starts.room(rate, at(6_010)), 1);
    }

    #[test]
    fn a_shorter_period_forgets_the_steps_of_the_longer_one() {
        let (day, second) = (rate(10, 24 * 3_600_000), rate(10, 1_000));
        let mut starts = Starts::default();
        starts.add(1, day, at(1_000_000));
        // The end of the step of a day is minutes ahead.
        assert_eq!(starts.room(second, at(1_000_500)), 9);
        starts.add(9, second, at(1_000_500));
        assert_eq!(starts.room(second, at(1_000_501)), 0);
        assert_eq!(starts.room(second, at(1_001_510)), 10);
    }

    #[test]
    fn the_stored_form_is_read_back() {
        let (rate, mut starts) = (rate(9, 128), Starts::default());
        starts.add(2, rate, at(7));
        starts.add(3, rate, at(9));
        let json = serde_json::to_string(&starts).unwrap();
        assert_eq!(json, "[[7,2],[9,3]]");
        assert_eq!(serde_json::from_str::<Starts>(&json).unwrap(), starts);
    }
}
