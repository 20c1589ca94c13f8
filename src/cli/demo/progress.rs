//! A progress bar on a terminal; plain lines if stderr is not a terminal.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::output::Output;
use crate::cli::output::progress::bar_style;

/// Template of the progress bar.
const TEMPLATE: &str = "{prefix:18} {bar:30.green/dim} {pos:>2} of {len}  {elapsed}";
/// Interval at which the elapsed time in the bar is updated.
const TICK: Duration = Duration::from_millis(100);

/// Counts finished questions and measures the time.
pub(super) struct Progress {
    output: Output,
    name: &'static str,
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    /// Starts the count and the clock.
    pub(super) fn start(output: Output, name: &'static str, total: usize) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            let bar = bar.with_style(bar_style(TEMPLATE)).with_prefix(name);
            bar.enable_steady_tick(TICK);
            bar
        });
        if bar.is_none() {
            output.note(format_args!("{name}: {total} questions"));
        }
        Self { output, name, bar, started: Instant::now() }
    }

    /// Sets the number of finished questions.
    pub(super) fn set(&self, done: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
    }

    /// Ends the display and returns the elapsed time.
    pub(super) fn finish(self) -> Duration {
        let elapsed = self.started.elapsed();
        match self.bar {
            Some(bar) => bar.finish(),
            None => self.output.note(format_args!("{}: done in {elapsed:.2?}", self.name)),
        }
        elapsed
    }
}
