//! The live line of a wait: shows the state and the progress of the job until it has ended.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::output::progress::bar_style;
use crate::cli::output::show;
use crate::cli::output::use_colour;
use crate::job::{Job, JobId, State};

/// Template of the line for a job without progress.
const PLAIN: &str = "{prefix}  {elapsed:>4}  {wide_msg}";
/// Template of the line for a job that reports progress.
const WITH_BAR: &str = "{prefix}  {elapsed:>4}  {bar:24} {percent:>3} %  {wide_msg}";
/// Like [`WITH_BAR`], in colour.
const WITH_BAR_IN_COLOUR: &str =
    "{prefix}  {elapsed:>4}  {bar:24.green/dim} {percent:>3} %  {wide_msg}";
/// Interval at which the elapsed time in the line is updated.
const TICK: Duration = Duration::from_millis(250);
/// Number of steps of the bar.
const BAR_STEPS: f64 = 1_000.0;

/// A line on stderr that is removed when the value is dropped.
pub(super) struct JobLine(ProgressBar);

impl JobLine {
    /// Starts the line; returns `None` if stderr is not a terminal.
    pub(super) fn start(id: JobId) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new(BAR_STEPS as u64).with_style(bar_style(PLAIN));
        bar.set_prefix(format!("job {id}"));
        bar.enable_steady_tick(TICK);
        Some(Self(bar))
    }

    /// Updates the line to the current state of the job.
    pub(super) fn show(&self, job: &Job) {
        self.0.set_prefix(summary(job));
        let Some(progress) = job.progress.as_ref().filter(|_| job.state == State::Running) else {
            self.0.set_style(bar_style(PLAIN));
            self.0.set_message("");
            return;
        };
        let with_bar = if use_colour(&io::stderr()) { WITH_BAR_IN_COLOUR } else { WITH_BAR };
        self.0.set_style(bar_style(with_bar));
        self.0.set_position((progress.percent.clamp(0.0, 100.0) / 100.0 * BAR_STEPS) as u64);
        self.0.set_message(show::plain(progress.message.as_deref().unwrap_or_default()));
    }

    /// Hides the line while `write` writes to the terminal.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }
}

impl Drop for JobLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Returns the ID and the state of the job, with the attempt unless it is the first.
fn summary(job: &Job) -> String {
    let attempt = match job.state {
        State::Running if job.attempt > 1 => {
            format!(", attempt {} of {}", job.attempt, job.max_attempts)
        }
        State::Retrying => format!(" after attempt {} of {}", job.attempt, job.max_attempts),
        _ => String::new(),
    };
    let note = if job.cancel_requested { ", cancel requested" } else { "" };
    format!("job {}  {}{attempt}{note}", job.id, job.state)
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;
    use crate::cli::sample;

    #[test]
    fn an_attempt_is_shown_unless_it_is_the_first() {
        let job = |state, attempt| Job { state, attempt, ..sample::job(17) };
        assert_eq!(summary(&job(State::Queued, 0)), "job 17  queued");
        assert_eq!(summary(&job(State::Running, 1)), "job 17  running");
        assert_eq!(summary(&job(State::Running, 2)), "job 17  running, attempt 2 of 5");
        assert_eq!(summary(&job(State::Retrying, 2)), "job 17  retrying after attempt 2 of 5");
    }

    #[test]
    fn every_template_of_the_line_is_valid() {
        for template in [PLAIN, WITH_BAR, WITH_BAR_IN_COLOUR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
