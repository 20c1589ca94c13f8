//! One life of a database: what keeps the workers of an earlier one out.
//!
//! A copy knows nothing of the leases that the original gave after it was made. So a copy that is
//! served begins a new epoch, whose tokens are larger than all of those.

use crate::job::time::Timestamp;

/// How many leases the tokens of a millisecond are enough for. One job never has as many: each
/// takes a write of its own.
const TOKENS_PER_MS: i64 = 256;

/// The largest floor, so that tokens stay numbers that every reader of JSON has: below 2^53.
const MAX_FLOOR: i64 = 1 << 52;

/// One life of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// The smallest token that a lease gets.
    pub token_floor: i64,
    /// When this copy was made; none where the database is no copy or has begun its own epoch.
    pub copied_at: Option<Timestamp>,
}

impl Epoch {
    /// The epoch after this one. `largest_token` is the largest in the tables.
    ///
    /// What the original gave after the copy was made stands nowhere here, but the time tells: it
    /// began at a smaller floor, of an earlier time, and went on one by one. A clock that was set
    /// back behind the copy is not believed.
    #[must_use]
    pub fn next(self, largest_token: i64, now: Timestamp) -> Self {
        let now = self.copied_at.map_or(now, |copied_at| now.max(copied_at));
        let by_time = now.millis().clamp(0, MAX_FLOOR / TOKENS_PER_MS) * TOKENS_PER_MS;
        let given = largest_token.max(self.token_floor);
        Self { token_floor: by_time.max(given.saturating_add(1)), copied_at: None }
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
    fn a_new_epoch_begins_above_every_token_that_the_original_can_have_given() {
        let second = FIRST.next(70, at("2026-11-22T12:00:00Z"));
        assert!(second.token_floor > 1_000_000_000);
        // It gave a lease each hundredth of a millisecond, and then a copy of it is served.
        let given = second.token_floor + 3_600_000 * 100;
        let third = second.next(second.token_floor + 5, at("2026-11-22T13:00:00Z"));
        assert!(third.token_floor > given);
    }

    #[test]
    fn a_clock_that_was_set_back_leads_to_no_older_token() {
        let copied_at = Some(at("2026-11-22T12:00:00Z"));
        let copy = Epoch { copied_at, ..FIRST };
        let past = at("1999-12-31T23:59:59Z");
        assert_eq!(copy.next(0, past), copy.next(0, at("2026-11-22T12:00:00Z")));
        let second = copy.next(0, past);
        assert_eq!(second.next(0, past).token_floor, second.token_floor + 1);
        assert_eq!(FIRST.next(7, Timestamp::from_millis(-5)).token_floor, 8);
    }

    #[test]
    fn tokens_stay_numbers_that_every_reader_has() {
        let end = Timestamp::from_millis(i64::MAX);
        assert!(FIRST.next(0, end).token_floor < 1 << 53);
    }
}
