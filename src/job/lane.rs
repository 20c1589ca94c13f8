//! Lanes: the pools of workers that run jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;

/// Pool of workers that runs a job. The numbers are stored in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Lane {
    /// Network calls and async handlers; many run at once on a few threads.
    Async = 0,
    /// Blocking Rust handlers; each runs on a thread of its own.
    Thread = 1,
    /// Programs that run as child processes.
    Process = 2,
    /// The user's own workers, which lease jobs over HTTP.
    Remote = 3,
}

impl Lane {
    /// Number of lanes.
    pub const COUNT: usize = 4;

    /// All lanes, ordered by number.
    pub const ALL: [Self; Self::COUNT] = [Self::Async, Self::Thread, Self::Process, Self::Remote];

    /// Lanes whose workers are part of this process.
    pub const LOCAL: [Self; 3] = [Self::Async, Self::Thread, Self::Process];

    /// Returns the number that the database stores.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// Returns the index of this lane in an array with one element for each lane.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Returns the lane that the database stores as `code`.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.code() == code)
    }

    /// Returns this lane, in which jobs of a kind run. `requested` is the lane that a submission names.
    ///
    /// # Errors
    /// Returns the problem of a submission that names another lane.
    pub(crate) fn check_requested(
        self,
        kind: &str,
        requested: Option<Self>,
    ) -> Result<Self, Problem> {
        if requested.is_none_or(|requested| requested == self) {
            return Ok(self);
        }
        let other = if self == Self::Remote { "" } else { " or remote" };
        let why = format!(
            "jobs of kind {kind} run in the {self} lane; use that lane{other}, or omit the field"
        );
        Err(Problem::new("/lane", why))
    }

    /// Returns the name of this lane in JSON and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Remote => "remote",
        }
    }
}

/// Error for a text that is not the name of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be async, thread, process or remote")]
pub struct InvalidLane;

impl FromStr for Lane {
    type Err = InvalidLane;

    fn from_str(text: &str) -> Result<Self, InvalidLane> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text).ok_or(InvalidLane)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
