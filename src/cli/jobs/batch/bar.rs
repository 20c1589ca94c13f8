//! The progress bar of a batch.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::output::progress::bar_style;
use crate::cli::output::show;
use crate::cli::output::use_colour;
use crate::job::batch::Batch;

const PLAIN: &str = "{prefix} {bar:30} {wide_msg}";
const IN_COLOUR: &str = "{prefix} {bar:30.green/dim} {wide_msg}";

/// A progress bar on stderr that is removed when the value is dropped.
pub(super) struct BatchBar {
    bar: ProgressBar,
    started: Instant,
    /// Number of jobs that had ended when the bar was started.
    done_before: i64,
}

impl BatchBar {
    /// Starts the bar; returns `None` if stderr is not a terminal.
    pub(super) fn start(batch: &Batch) -> Option<Self> {
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return None;
        }
        let template = if use_colour(&stderr) { IN_COLOUR } else { PLAIN };
        let bar = ProgressBar::new(u64::try_from(batch.total).unwrap_or(0));
        let bar = bar.with_style(bar_style(template));
        bar.set_prefix(format!("batch {}", batch.id));
        let batch_bar = Self { bar, started: Instant::now(), done_before: batch.done() };
        batch_bar.show(batch);
        Some(batch_bar)
    }

    /// Updates the bar to the current state of the batch.
    pub(super) fn show(&self, batch: &Batch) {
        self.bar.set_message(message(
            batch,
            batch.done() - self.done_before,
            self.started.elapsed(),
        ));
        self.bar.set_position(u64::try_from(batch.done()).unwrap_or(0));
    }

    /// Hides the bar while `write` writes to the terminal.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

impl Drop for BatchBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Returns counts, rate and time left, given that `newly_done` jobs ended during `elapsed`.
fn message(batch: &Batch, newly_done: i64, elapsed: Duration) -> String {
    let mut message = format!("{}/{}", batch.done(), batch.total);
    let rate = newly_done as f64 / elapsed.as_secs_f64().max(0.001);
    if newly_done > 0 {
        message += &format!("  {}", show::rate(rate));
        let left = Duration::try_from_secs_f64(batch.counts.live() as f64 / rate);
        message += &format!("  ETA {}", left.map_or(show::NONE.into(), show::age));
    }
    for (count, word) in [(batch.counts.failed, "failed"), (batch.counts.cancelled, "cancelled")] {
        if count > 0 {
            message += &format!("  {count} {word}");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;
    use crate::cli::sample;

    #[test]
    fn the_bar_shows_counts_rate_time_left_and_failures() {
        let text = message(&sample::batch(), 30, Duration::from_secs(3));
        assert_eq!(text, "30/40  10.0/s  ETA 1s  2 failed  1 cancelled");
        let text = message(&sample::batch(), 0, Duration::ZERO);
        assert_eq!(text, "30/40  2 failed  1 cancelled");
    }

    #[test]
    fn every_template_of_the_bar_is_valid() {
        for template in [PLAIN, IN_COLOUR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
