//! Attempts that do not count, because the job could not run at that time.

use std::time::Duration;

use crate::job::State;
use crate::job::attempt::AttemptDetail;
use crate::job::outcome::retry::Pause;
use crate::job::outcome::{JobError, Outcome};
use crate::job::time::{Span, Timestamp};

/// Why a job cannot run now, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferral {
    /// The refusal that the attempt ended with.
    pub error: JobError,
    /// Pause before the job runs again.
    pub retry_in: Span,
    /// Whether the refusal concerns all jobs of the provider, which then pause as well.
    pub is_of_provider: bool,
    /// Whether the job waited for something that is full and was not even tried. Such a deferral never counts, however
    /// often it happens, and the job still expires.
    pub is_untried: bool,
    /// Whether the attempt may have had an effect, so that a job with `at_most_once` must not run again.
    pub may_have_run: bool,
    /// What else is known about the attempt. It is kept if the attempt counts, because the job was
    /// deferred too often.
    pub detail: Option<Box<AttemptDetail>>,
}

impl Deferral {
    /// Creates a deferral of a job whose attempt had no effect.
    pub fn new(error: JobError, retry_in: Span) -> Self {
        Self {
            error,
            retry_in,
            is_of_provider: false,
            is_untried: false,
            may_have_run: false,
            detail: None,
        }
    }

    /// Number of refusals of its provider after which a job still waits in the queue.
    const REFUSALS_IN_QUEUE: u32 = 3;
    /// Longest time for which a refused job steps aside, unless the pause of its provider is longer.
    const LONGEST_ASIDE: Duration = Duration::from_secs(30);

    /// Pause of a job that was deferred without one.
    pub const DEFAULT_PAUSE: Span = Span::from_secs(1);

    /// Returns the state in which the job waits, and the time until which it does so. `before` are its deferrals so far.
    ///
    /// A job that its provider refuses waits in the queue, because the pause of the provider is its own. After some
    /// refusals it steps aside for a while: if only this job is refused, because it asks for more than the provider
    /// ever allows, it would otherwise be tried first each time, and the others would never run.
    pub(super) fn next_state(&self, before: Deferred, now: Timestamp) -> (State, Timestamp) {
        let pause = self.retry_in.duration();
        if !self.is_of_provider {
            return (State::Retrying, now.plus(pause));
        }
        match before.count.checked_sub(Self::REFUSALS_IN_QUEUE) {
            None => (State::Queued, now),
            Some(more) => {
                let longer = pause.saturating_mul(2_u32.saturating_pow(more.saturating_add(1)));
                let aside = longer.min(Self::LONGEST_ASIDE).max(pause);
                (State::Retrying, now.plus(aside))
            }
        }
    }

    /// Returns the outcome of a job that was deferred too often: a failure that counts.
    pub(super) fn counted(&self) -> Outcome {
        Outcome::Failed {
            error: self.error.clone(),
            retryable: true,
            retry_in: Some(Pause::AtLeast(self.retry_in)),
            detail: self.detail.clone(),
        }
    }
}

/// How often a job was deferred, and since when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deferred {
    /// Number of attempts that did not count.
    pub count: u32,
    /// Start of the first of them.
    pub since: Option<Timestamp>,
}

impl Deferred {
    /// Maximum number of attempts of a job that do not count, until somebody retries it.
    pub const MAX_COUNT: u32 = 1_000;
    /// Longest time from the first attempt that does not count to the last one.
    pub const MAX_TIME: Span = Span::from_secs(3600);

    /// Returns whether another attempt that ends at `now` need not count.
    pub fn has_room(&self, now: Timestamp) -> bool {
        let took = self.since.map_or(Duration::ZERO, |since| now.since(since));
        self.count < Self::MAX_COUNT && took < Self::MAX_TIME.duration()
    }
}
