//! Epochs: fencing tokens that stay valid when a copy of a database takes the place of the
//! original.
//!
//! A copy does not contain the leases that the original granted after the copy was made. When a
//! server opens a copy, it starts a new epoch: every token of the new epoch is larger than every
//! token that the original can have issued, so workers of the original are refused.
//!
//! The floor of an epoch is computed from the time: 256 tokens for each millisecond since 1970. For
//! example, a job that is leased ten times in an epoch that started at noon has a token at most ten
//! above the floor, while an epoch that starts at 13:00 has a floor that is 921,600,000 higher.

use crate::job::time::Timestamp;

/// Number of tokens for each millisecond. A job is never leased that often, because each of its
/// leases takes a write of its own.
const TOKENS_PER_MS: i64 = 256;

/// Largest floor. It keeps tokens below 2^53, the limit of exact integers in many JSON parsers.
const MAX_FLOOR: i64 = 1 << 52;

/// Epoch of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// Smallest token that a new lease gets.
    pub token_floor: i64,
    /// Time at which this copy was made; `None` if the database is not a copy or has started its
    /// own epoch.
    pub copied_at: Option<Timestamp>,
}

impl Epoch {
    /// Returns the epoch after this one. `largest_token` is the largest token in the database.
    ///
    /// The tokens that the original issued after the copy was made are unknown, but they started at
    /// a floor of an earlier time and increased by one with each lease of a job. If the clock shows
    /// a time before the copy was made, the time of the copy is used instead.
    #[must_use]
    pub fn next(self, largest_token: i64, now: Timestamp) -> Self {
        let now = self.copied_at.map_or(now, |copied_at| now.max(copied_at));
        let by_time = now.millis().clamp(0, MAX_FLOOR / TOKENS_PER_MS) * TOKENS_PER_MS;
        let issued = largest_token.max(self.token_floor);
        Self { token_floor: by_time.max(issued.saturating_add(1)), copied_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Epoch = Epoch { token_floor: 0, copied_at: None };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_new_epoch_starts_above_every_token_that_the_original_can_have_issued() {
        let second = FIRST.next(70, at("2026-11-22T12:00:00Z"));
        assert!(second.token_floor > 1_000_000_000);
        // The original grants 100 leases a millisecond for an hour, then a copy of it is opened.
        let issued = second.token_floor + 3_600_000 * 100;
        let third = second.next(second.token_floor + 5, at("2026-11-22T13:00:00Z"));
        assert!(third.token_floor > issued);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lower_the_floor() {
        let copied_at = Some(at("2026-11-22T12:00:00Z"));
        let copy = Epoch { copied_at, ..FIRST };
        let past = at("1999-12-31T23:59:59Z");
        assert_eq!(copy.next(0, past), copy.next(0, at("2026-11-22T12:00:00Z")));
        let second = copy.next(0, past);
        assert_eq!(second.next(0, past).token_floor, second.token_floor + 1);
        assert_eq!(FIRST.next(7, Timestamp::from_millis(-5)).token_floor, 8);
    }

    #[test]
    fn tokens_stay_below_the_limit_of_exact_json_integers() {
        let end = Timestamp::from_millis(i64::MAX);
        assert!(FIRST.next(0, end).token_floor < 1 << 53);
    }
}
