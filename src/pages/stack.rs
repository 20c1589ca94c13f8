//! How many jobs stand in each state, as one bar.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::job::State;
use crate::job::queue::StateCounts;

/// In which order states stand in the bar: what is done first.
const ORDER: [State; 7] = [
    State::Completed,
    State::Failed,
    State::Cancelled,
    State::Running,
    State::Retrying,
    State::Queued,
    State::Scheduled,
];

/// A bar with a stretch for each state. Its counts are told to who does not see it.
pub(super) struct Stack {
    counts: StateCounts,
    total: i64,
}

impl Stack {
    pub(super) fn new(counts: StateCounts, total: i64) -> Self {
        Self { counts, total: total.max(1) }
    }

    /// The states with jobs in them, in order.
    fn stretches(&self) -> impl Iterator<Item = (State, i64)> {
        let mut counts = self.counts;
        ORDER
            .into_iter()
            .map(move |state| (state, *counts.of(state)))
            .filter(|(_, count)| *count > 0)
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<svg class=\"meter stack\" role=\"img\" aria-label=\"")?;
        for (place, (state, count)) in self.stretches().enumerate() {
            let between = if place > 0 { ", " } else { "" };
            write!(f, "{between}{count} {state}")?;
        }
        f.write_str("\">")?;
        let mut before = 0.0;
        for (state, count) in self.stretches() {
            let width = count as f64 * 100.0 / self.total as f64;
            write!(
                f,
                "<rect class=\"{state}\" x=\"{before:.2}%\" width=\"{width:.2}%\" height=\"100%\"/>"
            )?;
            before += width;
        }
        f.write_str("</svg>")
    }
}

/// Numbers and fixed words.
impl HtmlSafe for Stack {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_stretch_and_is_named() {
        let counts = StateCounts { completed: 3, failed: 1, queued: 4, ..Default::default() };
        let html = Stack::new(counts, 8).to_string();
        assert!(html.contains("aria-label=\"3 completed, 1 failed, 4 queued\""), "{html}");
        assert!(html.contains("class=\"failed\" x=\"37.50%\" width=\"12.50%\""), "{html}");
        assert!(!html.contains("running"), "{html}");
    }
}
