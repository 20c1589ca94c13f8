//! Retry backoff: exponential pauses between attempts, with jitter.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::JobId;
use crate::job::time::Span;

/// Pause between attempts: it grows by a factor up to a maximum, and is spread by jitter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table with the fields initial, factor, max, jitter and max_retry_after"
)]
pub struct Backoff {
    /// Pause after the first attempt.
    pub initial: Span,
    /// Factor by which the pause grows after each further attempt, 1 to 100.
    pub factor: f64,
    /// Longest pause before jitter is applied.
    pub max: Span,
    /// Largest deviation of a pause to either side, as a fraction of the pause, 0 to 1.
    pub jitter: f64,
    /// Longest pause that a called server may request with `Retry-After`.
    pub max_retry_after: Span,
}

/// Pause before the next attempt that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The worker or handler that ran the attempt chose the pause. It replaces the backoff.
    Exactly(Span),
    /// The called server asked for it with `Retry-After`. It never shortens the backoff.
    AtLeast(Span),
}

impl Pause {
    /// Returns the length of the pause.
    pub fn span(self) -> Span {
        match self {
            Self::Exactly(span) | Self::AtLeast(span) => span,
        }
    }
}

impl Default for Backoff {
    /// Returns the default backoff: one second, doubling up to ten minutes, with 20 % jitter.
    fn default() -> Self {
        Self {
            initial: Span::from_secs(1),
            factor: 2.0,
            max: Span::from_secs(600),
            jitter: 0.2,
            max_retry_after: Span::from_secs(3600),
        }
    }
}

impl Backoff {
    /// Longest pause that a job may have or a worker may request: one day.
    pub const MAX: Span = Span::from_secs(24 * 3600);

    /// Returns the JSON pointer of the first invalid field and a message, or `None` if there is none.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if self.max > Self::MAX {
            return Some(("/max", format!("must be at most {}", Self::MAX)));
        }
        if self.initial > self.max {
            return Some(("/initial", format!("must be at most max, which is {}", self.max)));
        }
        if !(1.0..=100.0).contains(&self.factor) {
            return Some(("/factor", "must be between 1 and 100".into()));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some(("/jitter", "must be between 0 and 1".into()));
        }
        if self.max_retry_after > Self::MAX {
            return Some(("/max_retry_after", format!("must be at most {}", Self::MAX)));
        }
        None
    }

    /// Returns the pause after `attempt` (counted from 1) of `job`, given what was asked for.
    ///
    /// With the default backoff, a `Retry-After` of 0 s after the first attempt gives about 1 s, one of
    /// 30 s gives 30 s, and one of a day gives one hour.
    pub fn next_pause(&self, job: JobId, attempt: u32, requested: Option<Pause>) -> Duration {
        let own = self.pause(job, attempt);
        match requested {
            None => own,
            Some(Pause::Exactly(pause)) => pause.min(Self::MAX).duration(),
            Some(Pause::AtLeast(pause)) => own.max(pause.min(self.max_retry_after).duration()),
        }
    }

    /// Returns the backoff's own pause after `attempt` (counted from 1) of `job`.
    ///
    /// With the default backoff, attempts 1, 2, 3 and 11 are followed by 1 s, 2 s, 4 s and 600 s,
    /// each changed by up to 20 %. The jitter is derived from the job's id and the attempt, so
    /// jobs that failed together are retried at different times, and a pause is reproducible.
    pub fn pause(&self, job: JobId, attempt: u32) -> Duration {
        let steps = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let max_ms = self.max.millis() as f64;
        let grown_ms = (self.initial.millis() as f64 * self.factor.powi(steps)).min(max_ms);
        let spread = 1.0 + self.jitter * (2.0 * fraction(job, attempt) - 1.0);
        Duration::from_millis((grown_ms * spread).round() as u64)
    }
}

/// Returns a pseudo-random number from 0 to 1 that depends only on the job and the attempt. The
/// mixing steps are the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn fraction(job: JobId, attempt: u32) -> f64 {
    let mut bits = (job.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(attempt.into());
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    bits as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let secs: Vec<u64> =
            [1, 2, 3, 10, 11, 500].map(|n| backoff.pause(JobId(1), n).as_secs()).to_vec();
        assert_eq!(secs, [1, 2, 4, 512, 600, 600]);
    }

    #[test]
    fn retry_after_never_shortens_a_pause_and_is_bounded() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let pause = |attempt, secs| {
            let requested = Some(Pause::AtLeast(Span::from_secs(secs)));
            backoff.next_pause(JobId(1), attempt, requested).as_secs()
        };
        assert_eq!([pause(1, 0), pause(3, 2), pause(1, 30), pause(1, 86_400)], [1, 4, 30, 3_600]);
        let chosen = Some(Pause::Exactly(Span::from_millis(0)));
        assert_eq!(backoff.next_pause(JobId(1), 5, chosen), Duration::ZERO);
    }

    #[test]
    fn jitter_changes_pauses_by_up_to_a_fifth_to_either_side() {
        let pauses: Vec<u128> =
            (1..1000).map(|id| Backoff::default().pause(JobId(id), 1).as_millis()).collect();
        assert!(pauses.iter().all(|ms| (800..=1200).contains(ms)));
        assert!(pauses.iter().any(|ms| *ms < 850) && pauses.iter().any(|ms| *ms > 1150));
    }
}
