//! CPU-heavy work for every lane: counts primes by trial division, which is slow on purpose.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::config::CommandConfig;
use crate::executor::{Context, HandlerError};
use crate::pages::demo::{ASYNC_KIND, THREAD_KIND};
use crate::server::Builder;

/// Number of progress reports during the work.
const STEPS: u64 = 40;
/// Maximum value of `below`, which takes minutes.
const MAX_BELOW: u64 = 50_000_000;

/// The input of the work: the arguments of the program and the payload of the job.
#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with below")]
pub(in crate::cli) struct Work {
    /// Count the primes below this number
    below: u64,
}

/// The result of the work.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Counted {
    below: u64,
    primes: u64,
}

/// Registers the work as handlers for the lanes `async` and `thread`.
pub(super) fn register(builder: Builder) -> Builder {
    // The first handler blocks a thread of the lane `async`, which handlers should not do. The
    // demonstration shows the effect.
    builder
        .handler(ASYNC_KIND, |context: Context, work: Work| async move { work.attempt(&context) })
        .blocking_handler(THREAD_KIND, |context: Context, work: Work| work.attempt(&context))
}

/// Returns the work as a program for the lane `process`, or `None` if the path of this program is
/// not UTF-8.
pub(super) fn command(program: PathBuf) -> Option<CommandConfig> {
    let program = program.into_os_string().into_string().ok()?;
    Some(CommandConfig {
        argv: vec![program, "demo-work".into()],
        cwd: None,
        env: Default::default(),
        env_from: Vec::new(),
        timeout: None,
    })
}

/// Does the work as a program, which writes the result to stdout and the progress to stderr.
pub(in crate::cli) fn run(work: &Work) -> Result<(), CliError> {
    let output = Output::new(true);
    let counted = work.count(|percent, number| {
        output.note(format_args!("::progress {percent:.1} {}", message(number)));
        ControlFlow::Continue(())
    });
    match counted {
        Some(counted) => output.json(&counted),
        None => Err(CliError::Usage(format!("BELOW must be at most {MAX_BELOW}"))),
    }
}

fn message(number: u64) -> String {
    format!("counted up to {number}")
}

impl Work {
    fn attempt(&self, context: &Context) -> Result<Counted, HandlerError> {
        let counted = self.count(|percent, number| {
            context.progress(percent, message(number));
            if context.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        counted.ok_or_else(|| match context.stop_reason() {
            Some(_) => HandlerError::retryable("the attempt was asked to stop"),
            None => HandlerError::fatal(format!("below must be at most {MAX_BELOW}")),
        })
    }

    /// Counts the primes and reports the percentage and the current number [`STEPS`] times.
    ///
    /// Returns `None` if `below` is too large or `report` stops the work.
    fn count(&self, mut report: impl FnMut(f64, u64) -> ControlFlow<()>) -> Option<Counted> {
        let below = self.below;
        if below > MAX_BELOW {
            return None;
        }
        let (mut primes, mut number) = (0, 0);
        for step in 1..=STEPS {
            let until = below * step / STEPS;
            primes += (number..until).filter(|number| is_prime(*number)).count() as u64;
            number = until;
            // The test of n takes up to sqrt(n) divisions, so the work up to n grows with n^1.5.
            let share = (step as f64 / STEPS as f64).powf(1.5);
            if report(100.0 * share, number).is_break() {
                return None;
            }
        }
        Some(Counted { below, primes })
    }
}

fn is_prime(number: u64) -> bool {
    let divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && divisors.into_iter().all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primes(below: u64) -> u64 {
        Work { below }.count(|_, _| ControlFlow::Continue(())).unwrap().primes
    }

    #[test]
    fn primes_are_counted() {
        assert_eq!([0, 2, 3, 10, 11, 12, 100, 10_000].map(primes), [0, 0, 1, 4, 4, 5, 25, 1_229]);
    }

    #[test]
    fn the_work_reports_progress_and_can_be_stopped() {
        let mut reports = Vec::new();
        let counted = Work { below: 1_000 }.count(|percent, _| {
            reports.push(percent);
            if percent > 50.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(counted, None);
        assert!(reports.is_sorted() && reports.len() > 10, "{reports:?}");
    }

    #[test]
    fn a_number_above_the_maximum_is_refused() {
        let work = Work { below: MAX_BELOW + 1 };
        assert_eq!(work.count(|_, _| ControlFlow::Continue(())), None);
    }
}
