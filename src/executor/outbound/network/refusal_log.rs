//! The log of refused calls. A client decides how many calls are refused, so the number of lines is bounded.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::executor::outbound::network::policy::Reason;

/// Period for which lines are counted.
const PERIOD: Duration = Duration::from_secs(10);
/// Maximum number of lines in a period.
const MAX_LINES: u64 = 100;

/// Logs refused calls, at most [`MAX_LINES`] in a period. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct RefusalLog(Arc<Mutex<Count>>);

/// The refusals of the current period.
#[derive(Debug, Default)]
struct Count {
    started_at: Option<Instant>,
    refusals: u64,
}

impl Count {
    /// Counts a refusal. Returns the number of refusals of the previous period that were not logged, or
    /// `None` if this one must not be logged.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let mut unlogged = 0;
        if self.started_at.is_none_or(|started_at| now.duration_since(started_at) >= PERIOD) {
            unlogged = self.refusals.saturating_sub(MAX_LINES);
            *self = Self { started_at: Some(now), refusals: 0 };
        }
        self.refusals += 1;
        (self.refusals <= MAX_LINES).then_some(unlogged)
    }
}

impl RefusalLog {
    /// Logs a refused call. The path and the query are no part of it, because they may contain secrets.
    pub(super) fn add(&self, host: &str, port: u16, address: Option<IpAddr>, reason: &Reason) {
        // A poisoned lock is safe to use: every intermediate state of the count is valid.
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(unlogged) = count.admit(Instant::now()) else { return };
        drop(count);
        let address = address.map_or_else(|| "not resolved".into(), |address| address.to_string());
        tracing::info!(host, port, address, %reason, unlogged, "refused an outgoing call");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_past_the_bound_are_counted_and_not_logged() {
        let mut count = Count::default();
        let start = Instant::now();
        let admitted = (0..MAX_LINES + 7).filter_map(|_| count.admit(start));
        assert_eq!(admitted.collect::<Vec<_>>(), vec![0; 100]);
        assert_eq!(count.admit(start + PERIOD / 2), None);
        assert_eq!(count.admit(start + PERIOD), Some(8));
        assert_eq!(count.admit(start + PERIOD), Some(0));
    }
}
