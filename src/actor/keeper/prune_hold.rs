//! Holds pruning after a start with a clock that is probably wrong.
//!
//! Example: the last activity was on 1 March, the retention is 7 days, and the server starts on 5 April of
//! the next year. Either it was off for 400 days, or the clock of the machine is wrong. In the second case
//! every final job would be deleted at once, so nothing is deleted until somebody has looked
//! (`longshore prune --confirm`) or the server has run for 24 h.

use std::time::Duration;

use tokio::sync::watch;

use crate::job::{Span, Timestamp};

/// Time for which pruning is held if nobody confirms it.
pub(crate) const HOLD: Duration = Duration::from_secs(24 * 3_600);

/// Shortest jump that holds pruning. With a shorter retention, a restart that takes a while is no reason to
/// doubt the clock.
const MIN_JUMP: Span = Span::from_secs(3_600);

/// A start long after the last activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockJump {
    /// Time of the last activity before the start.
    pub(crate) last_activity_at: Timestamp,
    /// Time of the start.
    pub(crate) started_at: Timestamp,
}

impl ClockJump {
    /// Returns the jump from the last activity to the start at `now`, if it is longer than the
    /// retention.
    pub(crate) fn find(
        last_activity_at: Option<Timestamp>,
        now: Timestamp,
        retention: Span,
    ) -> Option<Self> {
        let last_activity_at = last_activity_at?;
        let longest = retention.max(MIN_JUMP).duration();
        (now.since(last_activity_at) > longest)
            .then_some(Self { last_activity_at, started_at: now })
    }

    /// Returns the time at which pruning starts if nobody confirms it.
    pub(crate) fn held_until(&self) -> Timestamp {
        self.started_at.plus(HOLD)
    }
}

/// The jump for which pruning is held, if it is. Clones share the state.
#[derive(Debug, Clone)]
pub(crate) struct PruneHold(watch::Sender<Option<ClockJump>>);

impl PruneHold {
    pub(crate) fn new(jump: Option<ClockJump>) -> Self {
        Self(watch::Sender::new(jump))
    }

    /// Returns the jump for which pruning is held, or `None` if it is not held.
    pub(crate) fn jump(&self) -> Option<ClockJump> {
        *self.0.borrow()
    }

    /// Ends the hold. Returns whether pruning was held.
    pub(crate) fn release(&self) -> bool {
        self.0.send_replace(None).is_some()
    }

    /// Waits until pruning is not held.
    pub(super) async fn released(&self) {
        // The channel is open, because this value has its sender.
        let _ = self.0.subscribe().wait_for(Option::is_none).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_held(last: Option<i64>, now: i64, retention: u64) -> bool {
        let at = |secs: i64| Timestamp::from_millis(secs * 1_000);
        ClockJump::find(last.map(at), at(now), Span::from_secs(retention)).is_some()
    }

    #[test]
    fn only_a_jump_forward_past_the_retention_holds_pruning() {
        const DAY: i64 = 24 * 3_600;
        let week = 7 * DAY as u64;
        assert!(is_held(Some(0), 400 * DAY, week));
        assert!(is_held(Some(0), 7 * DAY + 1, week));
        assert!(!is_held(Some(0), 7 * DAY, week));
        assert!(!is_held(Some(400 * DAY), 0, week));
        assert!(!is_held(None, 400 * DAY, week));
        // With a short retention, a jump of up to an hour may be a pause of the server.
        assert!(!is_held(Some(0), 3_600, 1));
        assert!(is_held(Some(0), 3_601, 1));
    }
}
