//! The state that each outcome of an attempt leads a job to.

use crate::job::outcome::retry::Backoff;
use crate::job::outcome::{Deferral, Deferred, JobError, Outcome};
use crate::job::time::Timestamp;
use crate::job::{JobId, State};

/// The properties of a running job that [`settle`] depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunningAttempt {
    /// Id of the job.
    pub job: JobId,
    /// Number of the attempt that ran, counted from 1.
    pub attempt: u32,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// Whether the job must never run twice.
    pub at_most_once: bool,
    /// Whether a cancel was requested while the attempt ran.
    pub cancel_requested: bool,
    /// Pause between attempts.
    pub backoff: Backoff,
    /// Earlier attempts that did not count.
    pub deferred: Deferred,
    /// Whether the job delivers a webhook.
    pub is_delivery: bool,
}

impl RunningAttempt {
    /// Returns whether the attempt does not count if it is lost: it delivers a webhook, and that happened seldom enough.
    fn may_lose_attempt(&self) -> bool {
        self.is_delivery && !self.cancel_requested && self.deferred.count < Deferred::MAX_COUNT
    }
}

/// Changes that an outcome makes to its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Next state of the job.
    pub state: State,
    /// Number of attempts that count so far.
    pub attempt: u32,
    /// Time at which the next attempt is due; `None` for a final state.
    pub run_at: Option<Timestamp>,
    /// New value of the job's `error`.
    pub error: Option<JobError>,
    /// Whether the attempt is added to the history of failures.
    pub is_failure: bool,
    /// Whether the job has never started, although it was leased.
    pub never_started: bool,
    /// Whether the attempt does not count because the job was deferred.
    pub is_deferred: bool,
}

/// Error code of an `at_most_once` job whose outcome is unknown, so that it must not run again.
pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// Decides the next state of a running job after `outcome`. The first row that applies is used:
///
/// | outcome | condition | next state |
/// | --- | --- | --- |
/// | `Completed` | | `completed` |
/// | `Cancelled` | | `cancelled` |
/// | `Failed` | a cancel was requested | `cancelled` |
/// | | retryable, not `at_most_once`, attempts left | `retrying`, due after the pause, see [`Backoff::next_pause`] |
/// | | otherwise | `failed` |
/// | `Deferred` | `at_most_once`, and it may have run | `failed` with code `outcome_unknown` |
/// | | a cancel was requested | `cancelled` |
/// | | deferred too often, see [`Deferred`] | as `Failed` |
/// | | by its provider | `queued`, where it waits for its provider; the attempt does not count |
/// | | otherwise | `retrying`, due after the pause; the attempt does not count |
/// | `Released` | `at_most_once` | `failed` with code `outcome_unknown` |
/// | | a cancel was requested | `cancelled` |
/// | | otherwise | `queued`; the attempt does not count |
/// | `NotStarted` | a cancel was requested | `cancelled` |
/// | | otherwise | `queued`; the attempt does not count |
/// | `Lost` | `at_most_once` | `failed` with code `outcome_unknown` |
/// | | a cancel was requested | `cancelled` |
/// | | it delivers a webhook, and this happened less than [`Deferred::MAX_COUNT`] times | `retrying`, due after the backoff; the attempt does not count |
/// | | attempts left | `queued` |
/// | | otherwise | `failed` |
///
/// `Failed`, `Lost`, and `Released` of an `at_most_once` job are added to the history of failures.
pub fn settle(running: &RunningAttempt, outcome: &Outcome, now: Timestamp) -> Settlement {
    let settled = |state: State, error: Option<JobError>| Settlement {
        state,
        attempt: running.attempt,
        run_at: None,
        error,
        is_failure: false,
        never_started: false,
        is_deferred: false,
    };
    let cancelled =
        || settled(State::Cancelled, Some(JobError::new("cancelled", "cancelled while running")));
    let interrupted = || {
        let message =
            "the attempt was interrupted and may have taken effect; the job must not run twice";
        let error = JobError::new(OUTCOME_UNKNOWN, message);
        Settlement { is_failure: true, ..settled(State::Failed, Some(error)) }
    };
    match outcome {
        Outcome::Completed(_) => settled(State::Completed, None),
        Outcome::Cancelled(_) => cancelled(),
        Outcome::Failed { error, retryable, retry_in, .. } => {
            let error = Some(error.clone());
            let next = if running.cancel_requested {
                cancelled()
            } else if *retryable && !running.at_most_once && running.attempt < running.max_attempts
            {
                let pause = running.backoff.next_pause(running.job, running.attempt, *retry_in);
                let run_at = Some(now.plus(pause));
                Settlement { run_at, ..settled(State::Retrying, error) }
            } else {
                settled(State::Failed, error)
            };
            Settlement { is_failure: true, ..next }
        }
        Outcome::Deferred(deferral) if running.at_most_once && deferral.may_have_run => {
            interrupted()
        }
        Outcome::Deferred(_) if running.cancel_requested => cancelled(),
        Outcome::Deferred(deferral)
            if !deferral.is_untried && !running.deferred.has_room(now) =>
        {
            settle(running, &deferral.counted(), now)
        }
        Outcome::Deferred(deferral) => deferred(running, deferral, now),
        Outcome::Released | Outcome::Lost(_) if running.at_most_once => interrupted(),
        Outcome::Released | Outcome::NotStarted if running.cancel_requested => cancelled(),
        Outcome::Released | Outcome::NotStarted => Settlement {
            attempt: running.attempt.saturating_sub(1),
            run_at: Some(now),
            never_started: *outcome == Outcome::NotStarted && running.attempt <= 1,
            ..settled(State::Queued, None)
        },
        Outcome::Lost(error) if running.may_lose_attempt() => lost_delivery(running, error, now),
        Outcome::Lost(error) => {
            let error = Some(error.clone());
            let next = if running.cancel_requested {
                cancelled()
            } else if running.attempt < running.max_attempts {
                Settlement { run_at: Some(now), ..settled(State::Queued, error) }
            } else {
                settled(State::Failed, error)
            };
            Settlement { is_failure: true, ..next }
        }
    }
}

/// Returns the settlement of an attempt that does not count.
fn deferred(running: &RunningAttempt, deferral: &Deferral, now: Timestamp) -> Settlement {
    let (state, run_at) = deferral.next_state(running.deferred, now);
    let attempt = running.attempt.saturating_sub(1);
    Settlement {
        state,
        attempt,
        run_at: Some(run_at),
        error: Some(deferral.error.clone()),
        is_failure: false,
        // A job that its provider refused still expires.
        never_started: (deferral.is_of_provider || deferral.is_untried) && attempt == 0,
        is_deferred: true,
    }
}

/// Returns the settlement of a lost attempt to deliver a webhook. It does not count: a server that is killed again and
/// again must not use up the few attempts of a webhook.
fn lost_delivery(running: &RunningAttempt, error: &JobError, now: Timestamp) -> Settlement {
    Settlement {
        state: State::Retrying,
        attempt: running.attempt.saturating_sub(1),
        run_at: Some(now.plus(running.backoff.pause(running.job, running.attempt))),
        error: Some(error.clone()),
        is_failure: false,
        never_started: false,
        is_deferred: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::outcome::JobResult;
    use crate::job::outcome::retry::Pause;
    use crate::job::payload::Json;
    use crate::job::time::Span;

    const NOW: i64 = 1_000_000;

    fn running() -> RunningAttempt {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        RunningAttempt {
            job: JobId(1),
            attempt: 2,
            max_attempts: 3,
            at_most_once: false,
            cancel_requested: false,
            backoff,
            deferred: Deferred::default(),
            is_delivery: false,
        }
    }

    fn after(running: RunningAttempt, outcome: &Outcome) -> Settlement {
        settle(&running, outcome, Timestamp::from_millis(NOW))
    }

    #[test]
    fn a_job_that_was_not_even_tried_never_counts_and_still_expires() {
        let Outcome::Deferred(mut deferral) = deferral(false) else { panic!("not deferred") };
        (deferral.is_untried, deferral.may_have_run) = (true, false);
        let count = Deferred::MAX_COUNT;
        let since = Some(Timestamp::from_millis(0));
        let first = RunningAttempt { attempt: 1, deferred: Deferred { count, since }, ..running() };
        let next = after(first, &Outcome::Deferred(deferral));
        assert_eq!((next.state, next.attempt, next.is_failure), (State::Retrying, 0, false));
        assert!(next.never_started && next.is_deferred);
    }

    #[test]
    fn a_job_that_its_provider_refuses_again_and_again_steps_aside_for_ever_longer() {
        let Outcome::Deferred(mut refusal) = deferral(true) else { panic!("not deferred") };
        (refusal.may_have_run, refusal.retry_in) = (false, Span::from_secs(1));
        let mut waits = Vec::new();
        for count in [0, 2, 3, 4, 7, 8, 900] {
            let since = Some(Timestamp::from_millis(NOW));
            let again = RunningAttempt { deferred: Deferred { count, since }, ..running() };
            let next = after(again, &Outcome::Deferred(refusal.clone()));
            waits.push((next.state, next.run_at.unwrap().millis() - NOW));
            assert!(next.is_deferred && !next.is_failure);
        }
        let aside = |secs: i64| (State::Retrying, secs * 1_000);
        let queued = (State::Queued, 0);
        assert_eq!(waits, [queued, queued, aside(2), aside(4), aside(30), aside(30), aside(30)]);
    }

    #[test]
    fn a_retryable_failure_waits_for_its_backoff() {
        let next = after(running(), &Outcome::retryable("timeout", "too slow"));
        assert_eq!(next.state, State::Retrying);
        assert_eq!(next.run_at, Some(Timestamp::from_millis(NOW + 2_000)));
        assert!(next.is_failure);
    }

    #[test]
    fn retry_in_replaces_the_backoff() {
        let outcome = Outcome::Failed {
            error: JobError::new("http_status", "429"),
            retryable: true,
            retry_in: Some(Pause::Exactly(Span::from_secs(30))),
            detail: None,
        };
        assert_eq!(after(running(), &outcome).run_at, Some(Timestamp::from_millis(NOW + 30_000)));
    }

    #[test]
    fn the_last_attempt_and_a_fatal_failure_end_the_job() {
        let last = RunningAttempt { attempt: 3, ..running() };
        assert_eq!(after(last, &Outcome::retryable("x", "y")).state, State::Failed);
        assert_eq!(after(running(), &Outcome::fatal("x", "y")).state, State::Failed);
    }

    #[test]
    fn a_released_attempt_does_not_count() {
        let next = after(running(), &Outcome::Released);
        assert_eq!((next.state, next.attempt, next.is_failure), (State::Queued, 1, false));
    }

    fn deferral(is_of_provider: bool) -> Outcome {
        let error = JobError::new("http_status", "429");
        let deferral = Deferral::new(error, Span::from_secs(30));
        let may_have_run = !is_of_provider;
        Outcome::Deferred(Box::new(Deferral { is_of_provider, may_have_run, ..deferral }))
    }

    #[test]
    fn a_deferred_attempt_does_not_count_and_waits_for_its_pause_or_its_provider() {
        let next = after(running(), &deferral(false));
        assert_eq!((next.state, next.attempt, next.is_failure), (State::Retrying, 1, false));
        assert_eq!(next.run_at, Some(Timestamp::from_millis(NOW + 30_000)));
        let next = after(RunningAttempt { at_most_once: true, ..running() }, &deferral(true));
        assert_eq!((next.state, next.attempt, next.is_deferred), (State::Queued, 1, true));
        assert_eq!(next.run_at, Some(Timestamp::from_millis(NOW)));
        let cancelled = RunningAttempt { cancel_requested: true, ..running() };
        assert_eq!(after(cancelled, &deferral(true)).state, State::Cancelled);
        let next = after(RunningAttempt { at_most_once: true, ..running() }, &deferral(false));
        assert_eq!(next.error.unwrap().code, OUTCOME_UNKNOWN, "it may have run");
    }

    #[test]
    fn a_job_that_was_deferred_too_often_or_too_long_fails_its_attempt() {
        let since = |ago| Some(Timestamp::from_millis(NOW - ago));
        for (count, ago, counts) in [
            (999, 1_000, false),
            (1_000, 1_000, true),
            (1, 3_599_999, false),
            (1, 3_600_000, true),
        ] {
            let deferred = Deferred { count, since: since(ago) };
            let next = after(RunningAttempt { deferred, ..running() }, &deferral(true));
            assert_eq!((next.is_failure, next.is_deferred), (counts, !counts), "{count} {ago}");
            // A job that was refused so often steps aside.
            let is_away = counts || count == 999;
            assert_eq!(next.state, if is_away { State::Retrying } else { State::Queued });
        }
    }

    #[test]
    fn a_lost_attempt_counts() {
        let lost = Outcome::Lost(JobError::new("lost", "the process died"));
        let next = after(running(), &lost);
        assert_eq!((next.state, next.attempt, next.is_failure), (State::Queued, 2, true));
        assert_eq!(after(RunningAttempt { attempt: 3, ..running() }, &lost).state, State::Failed);
    }

    #[test]
    fn a_lost_attempt_to_deliver_a_webhook_counts_only_after_a_thousand() {
        let lost = Outcome::Lost(JobError::new("lost", "the process died"));
        let since = Some(Timestamp::from_millis(0));
        for (count, expected) in
            [(0, (State::Retrying, 1, false)), (999, (State::Retrying, 1, false)), (1_000, (State::Queued, 2, true))]
        {
            let deferred = Deferred { count, since };
            let next = after(RunningAttempt { is_delivery: true, deferred, ..running() }, &lost);
            assert_eq!((next.state, next.attempt, next.is_failure), expected, "{count}");
            let pause = if expected.2 { 0 } else { 2_000 };
            assert_eq!(next.run_at, Some(Timestamp::from_millis(NOW + pause)));
        }
        let cancelled = RunningAttempt { is_delivery: true, cancel_requested: true, ..running() };
        assert_eq!(after(cancelled, &lost).state, State::Cancelled);
    }

    #[test]
    fn at_most_once_never_runs_twice() {
        let once = RunningAttempt { at_most_once: true, attempt: 1, ..running() };
        for outcome in [
            Outcome::Released,
            Outcome::Lost(JobError::new("lost", "x")),
            Outcome::retryable("x", "y"),
        ] {
            let next = after(once, &outcome);
            assert_eq!(next.state, State::Failed);
            assert_eq!(next.run_at, None);
        }
        assert_eq!(after(once, &Outcome::Released).error.unwrap().code, OUTCOME_UNKNOWN);
    }

    #[test]
    fn a_requested_cancel_wins_over_every_outcome_but_completion() {
        let cancelled = RunningAttempt { cancel_requested: true, ..running() };
        assert_eq!(after(cancelled, &Outcome::retryable("x", "y")).state, State::Cancelled);
        assert_eq!(after(cancelled, &Outcome::Released).state, State::Cancelled);
        let done = Outcome::Completed(JobResult::whole(Json::null()));
        assert_eq!(after(cancelled, &done).state, State::Completed);
    }
}
