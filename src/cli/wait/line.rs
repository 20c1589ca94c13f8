//! The live line of a wait: what the job does while its result is not there.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::takes_colour;
use crate::cli::show;
use crate::job::{Job, JobId, State};

/// How the line looks while nobody knows how far the job is, and once it tells.
const PLAIN: &str = "{prefix}  {elapsed:>4}  {wide_msg}";
const WITH_BAR: &str = "{prefix}  {elapsed:>4}  {bar:24} {percent:>3} %  {wide_msg}";
const WITH_BAR_IN_COLOUR: &str =
    "{prefix}  {elapsed:>4}  {bar:24.green/dim} {percent:>3} %  {wide_msg}";
/// How often the clock in the line moves on.
const TICK: Duration = Duration::from_millis(250);
/// The steps of the bar.
const WHOLE: f64 = 1_000.0;

/// A line on stderr that is gone when this is dropped.
pub(super) struct JobLine(ProgressBar);

impl JobLine {
    /// Begins the line; none where stderr is no terminal.
    pub(super) fn begin(id: JobId) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new(WHOLE as u64).with_style(style(PLAIN));
        bar.set_prefix(format!("job {id}"));
        bar.enable_steady_tick(TICK);
        Some(Self(bar))
    }

    /// Shows the job as it stands.
    pub(super) fn show(&self, job: &Job) {
        self.0.set_prefix(place(job));
        let Some(progress) = job.progress.as_ref().filter(|_| job.state == State::Running) else {
            self.0.set_style(style(PLAIN));
            self.0.set_message("");
            return;
        };
        let with_bar = if takes_colour(&io::stderr()) { WITH_BAR_IN_COLOUR } else { WITH_BAR };
        self.0.set_style(style(with_bar));
        self.0.set_position((progress.percent.clamp(0.0, 100.0) / 100.0 * WHOLE) as u64);
        self.0.set_message(show::plain(progress.message.as_deref().unwrap_or_default()));
    }

    /// Takes the line away while something else is written.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }
}

impl Drop for JobLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// Which job it is and where it stands.
fn place(job: &Job) -> String {
    let attempt = match job.state {
        State::Running if job.attempt > 1 => {
            format!(", attempt {} of {}", job.attempt, job.max_attempts)
        }
        State::Retrying => format!(" after attempt {} of {}", job.attempt, job.max_attempts),
        _ => String::new(),
    };
    let stops = if job.cancel_requested { ", asked to stop" } else { "" };
    format!("job {}  {}{attempt}{stops}", job.id, job.state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn an_attempt_is_told_where_it_is_not_the_first() {
        let job = |state, attempt| Job { state, attempt, ..sample::job(17) };
        assert_eq!(place(&job(State::Queued, 0)), "job 17  queued");
        assert_eq!(place(&job(State::Running, 1)), "job 17  running");
        assert_eq!(place(&job(State::Running, 2)), "job 17  running, attempt 2 of 5");
        assert_eq!(place(&job(State::Retrying, 2)), "job 17  retrying after attempt 2 of 5");
    }

    #[test]
    fn every_template_can_be_read() {
        for template in [PLAIN, WITH_BAR, WITH_BAR_IN_COLOUR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
