//! Servers that answered once and are away now, as while they are started anew.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long a server may be away until it is given up.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// What is known of a server's presence.
#[derive(Default)]
pub(super) struct Absence {
    has_answered: Cell<bool>,
    since: Cell<Option<Instant>>,
    is_told: Cell<bool>,
}

impl Absence {
    /// Notes that the server answered.
    pub(super) fn end(&self) {
        self.has_answered.set(true);
        self.since.set(None);
        self.is_told.set(false);
    }

    /// Notes that the server cannot be reached.
    pub(super) fn go_on(&self, now: Instant) {
        self.since.set(self.since.get().or(Some(now)));
    }

    /// Whether the server answered when it was asked last.
    pub(super) fn is_over(&self) -> bool {
        self.has_answered.get() && self.since.get().is_none()
    }

    /// Whether the server may come back. One that never answered is not waited for.
    pub(super) fn is_bearable(&self, now: Instant) -> bool {
        let is_short = |since| now.saturating_duration_since(since) < PATIENCE;
        self.has_answered.get() && self.since.get().is_none_or(is_short)
    }

    /// Whether it is still to be told; it is told once.
    pub(super) fn is_news(&self) -> bool {
        !self.is_told.replace(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_answered_is_waited_for_and_not_for_ever() {
        let absence = Absence::default();
        let began = Instant::now();
        absence.go_on(began);
        assert!(!absence.is_bearable(began));
        absence.end();
        assert!(absence.is_over());
        absence.go_on(began);
        let late = began + PATIENCE;
        absence.go_on(late);
        assert!(!absence.is_over() && absence.is_bearable(began));
        assert!(!absence.is_bearable(late), "it counts from the first time");
    }

    #[test]
    fn each_absence_is_told_once() {
        let absence = Absence::default();
        assert!(absence.is_news() && !absence.is_news());
        absence.end();
        assert!(absence.is_news());
    }
}
