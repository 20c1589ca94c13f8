//! The same heavy work for every lane: counting primes, by trial division so that it takes a while.

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

/// How often the work tells how far it is.
const STEPS: u64 = 40;
/// The most that one job may count up to: minutes of work.
const MAX_BELOW: u64 = 50_000_000;

/// What to count.
#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Work {
    /// Count the primes below this number
    below: u64,
}

/// What was counted.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Counted {
    below: u64,
    primes: u64,
}

/// Adds the work to a server, for its lanes `async` and `thread`.
pub(super) fn register(builder: Builder) -> Builder {
    // It holds a thread of the lane `async` up, as no handler should: that is what it shows.
    builder
        .handler(ASYNC_KIND, |context: Context, work: Work| async move { work.attempt(&context) })
        .blocking_handler(THREAD_KIND, |context: Context, work: Work| work.attempt(&context))
}

/// The work as a program, for the lane `process`; none where the path of this one is no text.
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

/// Does the work as a program: the result goes to stdout, progress to stderr.
pub(in crate::cli) fn run(work: &Work) -> Result<(), CliError> {
    let output = Output::new(true);
    let counted = work.count(|percent, number| {
        output.note(format_args!("::progress {percent:.1} {}", message(number)));
        ControlFlow::Continue(())
    });
    match counted {
        Some(counted) => output.json(&counted),
        None => Err(CliError::Usage(format!("counts up to {MAX_BELOW}"))),
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
            Some(_) => HandlerError::retryable("it was told to stop"),
            None => HandlerError::fatal(format!("counts up to {MAX_BELOW}")),
        })
    }

    /// Counts, and tells now and then the percentage and the number where it is. Nothing where it is
    /// too much or is broken off.
    fn count(&self, mut tell: impl FnMut(f64, u64) -> ControlFlow<()>) -> Option<Counted> {
        let below = self.below;
        if below > MAX_BELOW {
            return None;
        }
        let (mut primes, mut number) = (0, 0);
        for step in 1..=STEPS {
            let until = below * step / STEPS;
            primes += (number..until).filter(|number| is_prime(*number)).count() as u64;
            number = until;
            // A number takes up to its root in divisions.
            let share = (step as f64 / STEPS as f64).powf(1.5);
            if tell(100.0 * share, number).is_break() {
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
    fn it_tells_how_far_it_is_and_can_be_broken_off() {
        let mut told = Vec::new();
        let counted = Work { below: 1_000 }.count(|percent, _| {
            told.push(percent);
            if percent > 50.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(counted, None);
        assert!(told.is_sorted() && told.len() > 10, "{told:?}");
    }

    #[test]
    fn more_than_its_bound_is_refused() {
        let work = Work { below: MAX_BELOW + 1 };
        assert_eq!(work.count(|_, _| ControlFlow::Continue(())), None);
    }
}
