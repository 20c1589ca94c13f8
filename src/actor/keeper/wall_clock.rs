//! The duty to compare the server's clock with the wall clock.

use std::time::Duration;

use actix::Context;

use crate::actor::keeper::Keeper;
use crate::job::Span;

/// Difference between the wall clock and the server's clock above which a warning is logged.
const MAX_CLOCK_DRIFT: Duration = Duration::from_secs(5);

impl Keeper {
    /// Warns the operator if the wall clock was set.
    ///
    /// The server's clock does not follow it, so that no lease moves. But `run_at` is a time of the
    /// wall clock, so the operator should know of the difference. The warning is repeated when the
    /// drift has more than doubled.
    pub(super) fn check_wall_clock(&mut self, _: &mut Context<Self>) {
        let drift = self.clock.drift_from_wall();
        if drift > MAX_CLOCK_DRIFT && self.logged_drift.is_none_or(|logged| drift > logged * 2) {
            let by = Span::new(drift);
            tracing::warn!(%by, "the wall clock was set; schedules follow it after a restart");
            self.logged_drift = Some(drift);
        }
    }
}
