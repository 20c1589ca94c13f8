//! When the next attempt of a failed job begins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::JobId;
use crate::job::time::Span;

/// The growing pause between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// The pause after the first attempt.
    pub initial: Span,
    /// What each further pause is multiplied by, 1 to 100.
    pub factor: f64,
    /// The longest pause.
    pub max: Span,
    /// How far a pause is spread to either side, as a fraction of it, 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    /// One second, doubling to ten minutes, spread by a fifth.
    fn default() -> Self {
        Self { initial: Span::from_secs(1), factor: 2.0, max: Span::from_secs(600), jitter: 0.2 }
    }
}

impl Backoff {
    /// The longest pause that may be asked for, by a job or by a `Retry-After`: a day.
    pub const MAX: Span = Span::from_secs(24 * 3600);

    /// What is wrong with these numbers, if anything: the field and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if self.max > Self::MAX {
            return Some(("/max", format!("is at most {}", Self::MAX)));
        }
        if self.initial > self.max {
            return Some(("/initial", format!("is at most max, which is {}", self.max)));
        }
        if !(1.0..=100.0).contains(&self.factor) {
            return Some(("/factor", "lies between 1 and 100".into()));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some(("/jitter", "lies between 0 and 1".into()));
        }
        None
    }

    /// The pause after `attempt` (counted from 1) of `job`.
    ///
    /// The spread is drawn from the job's id and the attempt: jobs that failed together come back
    /// apart, and the same attempt always waits as long.
    pub fn pause(&self, job: JobId, attempt: u32) -> Duration {
        let steps = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let max_ms = self.max.millis() as f64;
        let grown_ms = (self.initial.millis() as f64 * self.factor.powi(steps)).min(max_ms);
        let spread = 1.0 + self.jitter * (2.0 * fraction(job, attempt) - 1.0);
        Duration::from_millis((grown_ms * spread).round() as u64)
    }
}

/// A number from 0 to 1 that looks random and is the same for the same job and attempt
/// (the finalizer of SplitMix64: Steele, Lea and Flood, 2014).
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
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let secs: Vec<u64> =
            [1, 2, 3, 10, 11, 500].map(|n| backoff.pause(JobId(1), n).as_secs()).to_vec();
        assert_eq!(secs, [1, 2, 4, 512, 600, 600]);
    }

    #[test]
    fn jitter_spreads_jobs_over_a_fifth_to_either_side() {
        let pauses: Vec<u128> =
            (1..1000).map(|id| Backoff::default().pause(JobId(id), 1).as_millis()).collect();
        assert!(pauses.iter().all(|ms| (800..=1200).contains(ms)));
        assert!(pauses.iter().any(|ms| *ms < 850) && pauses.iter().any(|ms| *ms > 1150));
    }
}
