//! A live line that tells how far it is; plain lines where stderr is no terminal.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::Output;

/// How the live line looks.
const TEMPLATE: &str = "{prefix:18} {bar:30.green/dim} {pos:>2} of {len}  {elapsed}";
/// How often the clock in the line moves on.
const TICK: Duration = Duration::from_millis(100);

/// A count that goes up.
pub(super) struct Progress {
    output: Output,
    name: &'static str,
    bar: Option<ProgressBar>,
    began: Instant,
}

impl Progress {
    /// Begins to count, and to measure the time.
    pub(super) fn begin(output: Output, name: &'static str, total: usize) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(TEMPLATE)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─");
            let bar = ProgressBar::new(total as u64).with_style(style).with_prefix(name);
            bar.enable_steady_tick(TICK);
            bar
        });
        if bar.is_none() {
            output.note(format_args!("{name}: {total} questions"));
        }
        Self { output, name, bar, began: Instant::now() }
    }

    /// So many are done.
    pub(super) fn set(&self, done: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
    }

    /// All are done: the time it took.
    pub(super) fn end(self) -> Duration {
        let took = self.began.elapsed();
        match self.bar {
            Some(bar) => bar.finish(),
            None => self.output.note(format_args!("{}: done in {took:.2?}", self.name)),
        }
        took
    }
}
