//! Limits of each API key, beside those of the whole server.

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;

/// Limits of each API key. `None` means that only the limits of the server apply. A request over a limit is
/// answered with 429.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of numbers")]
pub struct KeyLimits {
    /// Maximum number of jobs submitted with one key that have not ended.
    pub max_unfinished_jobs: Option<u32>,
}

impl KeyLimits {
    /// Returns the problems of these numbers.
    pub fn problems(&self) -> Vec<Problem> {
        let zero = self.max_unfinished_jobs == Some(0);
        zero.then(|| Problem::new("/max_unfinished_jobs", "must be 1 or more"))
            .into_iter()
            .collect()
    }
}
