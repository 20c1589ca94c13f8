//! The numbers of jobs by state as one stacked bar.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::job::State;
use crate::job::queue::StateCounts;

/// Order of the states in the bar: final states first.
const ORDER: [State; 7] = [
    State::Completed,
    State::Failed,
    State::Cancelled,
    State::Running,
    State::Retrying,
    State::Queued,
    State::Scheduled,
];

/// A bar with a segment for each state. Its counts are in its `aria-label`, for screen readers.
pub(crate) struct StateBar {
    counts: StateCounts,
    total: i64,
}

impl StateBar {
    pub(crate) fn new(counts: StateCounts, total: i64) -> Self {
        Self { counts, total: total.max(1) }
    }

    /// Returns the states that have jobs, in order.
    fn segments(&self) -> impl Iterator<Item = (State, i64)> {
        let counted = ORDER.into_iter().map(|state| (state, self.counts.get(state)));
        counted.filter(|(_, count)| *count > 0)
    }
}

impl fmt::Display for StateBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<svg class=\"meter state-bar\" role=\"img\" aria-label=\"")?;
        for (index, (state, count)) in self.segments().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{count} {state}")?;
        }
        f.write_str("\">")?;
        let mut x = 0.0;
        for (state, count) in self.segments() {
            let width = count as f64 * 100.0 / self.total as f64;
            write!(
                f,
                "<rect class=\"{state}\" x=\"{x:.2}%\" width=\"{width:.2}%\" height=\"100%\"/>"
            )?;
            x += width;
        }
        f.write_str("</svg>")
    }
}

/// The HTML consists of numbers and fixed words.
impl HtmlSafe for StateBar {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_with_jobs_has_a_segment_and_a_label() {
        let counts = StateCounts { completed: 3, failed: 1, queued: 4, ..Default::default() };
        let html = StateBar::new(counts, 8).to_string();
        assert!(html.contains("aria-label=\"3 completed, 1 failed, 4 queued\""), "{html}");
        assert!(html.contains("class=\"failed\" x=\"37.50%\" width=\"12.50%\""), "{html}");
        assert!(!html.contains("running"), "{html}");
    }
}
