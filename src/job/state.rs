//! The states of a job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// State of a job. The last three states are final: only an explicit retry request moves a job out
/// of them.
///
/// The numbers are stored in the database and never change. `job::outcome::settle`
/// decides which state follows an outcome. The Keeper and the Writer are actors of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum State {
    /// The job waits for its `run_at`. When that time comes, the Keeper stages it to `queued`.
    /// A cancel request, or an `expires_at` that passes first, moves it to `cancelled`.
    Scheduled = 0,
    /// The job can run now and waits for a worker. The Writer leases it, which moves it to
    /// `running`. A cancel request moves it to `cancelled`, and so does an `expires_at` that passes
    /// before the first attempt starts.
    Queued = 1,
    /// A worker holds a lease on the job. A finish moves it to `completed`, `failed`, `retrying` or
    /// `cancelled`, and a release moves it back to `queued`. If the worker is gone, a rescue moves it
    /// to `queued` if another attempt is allowed, and to `failed` or `cancelled` otherwise. A cancel
    /// request only asks the worker to stop.
    Running = 2,
    /// An attempt failed and the next one waits for its `run_at`. The Keeper stages the job to
    /// `queued` at that time, and a retry request does so at once. A cancel request moves it to
    /// `cancelled`.
    Retrying = 3,
    /// Final: the job succeeded and has a result.
    Completed = 4,
    /// Final: the last attempt failed, its error is not retryable, or the outcome of an
    /// `at_most_once` job is unknown.
    Failed = 5,
    /// Final: the job was cancelled, or expired, before it completed.
    Cancelled = 6,
}

impl State {
    /// All states, ordered by number.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Returns whether a job in this state has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Returns the number that the database stores.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// Returns the state that the database stores as `code`.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Returns the name of this state in JSON, in queries and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Error for a text that is not the name of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be scheduled, queued, running, retrying, completed, failed or cancelled")]
pub struct InvalidState;

impl FromStr for State {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(InvalidState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_parse_back_to_their_state() {
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(state));
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(State::from_code(7), None);
    }
}
