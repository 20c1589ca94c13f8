//! Where a job stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a job stands. The last three are final: only an explicit retry leaves them.
///
/// The numbers are what the database holds and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum State {
    /// It waits for its `run_at`. The Keeper stages it to `queued` when that is due.
    Scheduled = 0,
    /// It can run now. A lease moves it to `running`.
    Queued = 1,
    /// A worker holds its lease. A finish, a rescue or a release moves it on.
    Running = 2,
    /// An attempt failed and the next waits for its `run_at`. Staged like `scheduled`.
    Retrying = 3,
    /// It ended well, and has a result.
    Completed = 4,
    /// It ended badly: out of attempts, not retryable, or its outcome is unknown.
    Failed = 5,
    /// It was called off, or expired, before it completed.
    Cancelled = 6,
}

impl State {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the job has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The number that the database holds.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The state of a number that the database holds.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The word of this state in JSON, in queries and on pages.
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

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a state: one of scheduled, queued, running, retrying, completed, failed, cancelled")]
pub struct NotAState;

impl FromStr for State {
    type Err = NotAState;

    fn from_str(word: &str) -> Result<Self, NotAState> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or(NotAState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_lead_back_to_their_state() {
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(state));
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(State::from_code(7), None);
    }
}
