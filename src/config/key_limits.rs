//! Limits of each API key, beside those of the whole server.

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;

/// Limits of each API key. A request over a limit is answered with 429.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of numbers")]
pub struct KeyLimits {
    /// Maximum number of requests in a second; `None` means no limit.
    pub requests_per_second: Option<u32>,
    /// Maximum size of the request bodies that are in memory at once, in bytes, without small ones; `None` means
    /// half of `limits.max_write_bytes_in_flight`.
    pub max_body_bytes_in_flight: Option<usize>,
    /// Maximum number of requests that wait, and of event streams, at once; `None` means half of
    /// `limits.max_waits`.
    pub max_waits: Option<usize>,
    /// Maximum number of jobs submitted with one key that have not ended; `None` means no limit.
    pub max_unfinished_jobs: Option<u32>,
}

impl KeyLimits {
    /// Returns the problems of these numbers.
    pub fn problems(&self) -> Vec<Problem> {
        let zeros = [
            ("/requests_per_second", self.requests_per_second == Some(0)),
            ("/max_body_bytes_in_flight", self.max_body_bytes_in_flight == Some(0)),
            ("/max_waits", self.max_waits == Some(0)),
            ("/max_unfinished_jobs", self.max_unfinished_jobs == Some(0)),
        ];
        let zeros = zeros.into_iter().filter(|(_, is_zero)| *is_zero);
        zeros.map(|(pointer, _)| Problem::new(pointer, "must be 1 or more")).collect()
    }
}
