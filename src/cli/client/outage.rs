//! Outages: a server that answered before cannot be reached, for example during a restart.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Longest outage that a client waits out before it gives up.
const MAX_OUTAGE: Duration = Duration::from_secs(5 * 60);

/// Tracks whether a server can be reached, and since when it cannot.
#[derive(Default)]
pub(super) struct Outage {
    /// Whether the server has ever answered.
    has_answered: Cell<bool>,
    /// Time of the first failure of the current outage; `None` when there is no outage.
    since: Cell<Option<Instant>>,
    /// Whether the current outage has been reported to the user.
    is_reported: Cell<bool>,
}

impl Outage {
    /// Records that the server answered, which ends an outage.
    pub(super) fn record_answer(&self) {
        self.has_answered.set(true);
        self.since.set(None);
        self.is_reported.set(false);
    }

    /// Records that the server could not be reached. The first failure starts an outage.
    pub(super) fn record_failure(&self, now: Instant) {
        self.since.set(self.since.get().or(Some(now)));
    }

    /// Returns whether the server answered the latest request.
    pub(super) fn is_reachable(&self) -> bool {
        self.has_answered.get() && self.since.get().is_none()
    }

    /// Returns whether to wait for the server: it answered before, and the outage is shorter than
    /// [`MAX_OUTAGE`].
    pub(super) fn may_recover(&self, now: Instant) -> bool {
        let is_short = |since| now.saturating_duration_since(since) < MAX_OUTAGE;
        self.has_answered.get() && self.since.get().is_none_or(is_short)
    }

    /// Returns whether to report the outage to the user: `true` once per outage.
    pub(super) fn should_report(&self) -> bool {
        !self.is_reported.replace(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_answered_before_is_waited_for_and_only_for_a_limited_time() {
        let outage = Outage::default();
        let start = Instant::now();
        outage.record_failure(start);
        assert!(!outage.may_recover(start));
        outage.record_answer();
        assert!(outage.is_reachable());
        outage.record_failure(start);
        let end = start + MAX_OUTAGE;
        outage.record_failure(end);
        assert!(!outage.is_reachable() && outage.may_recover(start));
        assert!(!outage.may_recover(end), "the outage counts from its first failure");
    }

    #[test]
    fn each_outage_is_reported_once() {
        let outage = Outage::default();
        assert!(outage.should_report() && !outage.should_report());
        outage.record_answer();
        assert!(outage.should_report());
    }
}
