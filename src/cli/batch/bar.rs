//! The live bar of a batch.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::takes_colour;
use crate::cli::show;
use crate::job::batch::Batch;

const PLAIN: &str = "{prefix} {bar:30} {wide_msg}";
const IN_COLOUR: &str = "{prefix} {bar:30.green/dim} {wide_msg}";

/// A bar on stderr that is gone when this is dropped.
pub(super) struct BatchBar {
    bar: ProgressBar,
    began: Instant,
    /// How many had ended then.
    done_before: i64,
}

impl BatchBar {
    /// Begins the bar; none where stderr is no terminal.
    pub(super) fn begin(batch: &Batch) -> Option<Self> {
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return None;
        }
        let template = if takes_colour(&stderr) { IN_COLOUR } else { PLAIN };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let bar = ProgressBar::new(u64::try_from(batch.total).unwrap_or(0)).with_style(style);
        bar.set_prefix(format!("batch {}", batch.id));
        let begun = Self { bar, began: Instant::now(), done_before: done(batch) };
        begun.show(batch);
        Some(begun)
    }

    /// Shows the batch as it stands.
    pub(super) fn show(&self, batch: &Batch) {
        self.bar.set_message(said(batch, done(batch) - self.done_before, self.began.elapsed()));
        self.bar.set_position(u64::try_from(done(batch)).unwrap_or(0));
    }

    /// Takes the bar away while something else is written.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

impl Drop for BatchBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn done(batch: &Batch) -> i64 {
    batch.total - batch.counts.live()
}

/// Counts, rate and what is left, after `newly_done` jobs ended in a time.
fn said(batch: &Batch, newly_done: i64, elapsed: Duration) -> String {
    let mut said = format!("{}/{}", done(batch), batch.total);
    let rate = newly_done as f64 / elapsed.as_secs_f64().max(0.001);
    if newly_done > 0 {
        said += &format!("  {}", show::rate(rate));
        let left = Duration::try_from_secs_f64(batch.counts.live() as f64 / rate);
        said += &format!("  ETA {}", left.map_or(show::NONE.into(), show::age));
    }
    for (count, word) in [(batch.counts.failed, "failed"), (batch.counts.cancelled, "cancelled")] {
        if count > 0 {
            said += &format!("  {count} {word}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn the_bar_tells_counts_rate_what_is_left_and_what_failed() {
        let told = said(&sample::batch(), 30, Duration::from_secs(3));
        assert_eq!(told, "30/40  10.0/s  ETA 1s  2 failed  1 cancelled");
        let told = said(&sample::batch(), 0, Duration::ZERO);
        assert_eq!(told, "30/40  2 failed  1 cancelled");
    }

    #[test]
    fn every_template_can_be_read() {
        for template in [PLAIN, IN_COLOUR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
