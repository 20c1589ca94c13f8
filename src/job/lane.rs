//! Which pool of workers runs a job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which pool of workers runs a job. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Lane {
    /// Network calls and async handlers: many at once on a few threads.
    Async = 0,
    /// Blocking Rust handlers: a thread each.
    Thread = 1,
    /// Child processes.
    Process = 2,
    /// Workers of the user's own, over HTTP.
    Remote = 3,
}

impl Lane {
    /// How many lanes there are.
    pub const COUNT: usize = 4;

    /// Every lane, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [Self::Async, Self::Thread, Self::Process, Self::Remote];

    /// The lanes whose workers live in this process.
    pub const LOCAL: [Self; 3] = [Self::Async, Self::Thread, Self::Process];

    /// The number that the database holds.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The place of this lane in an array over all lanes.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The lane of a number that the database holds.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.code() == code)
    }

    /// The word of this lane in JSON and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Remote => "remote",
        }
    }
}

/// A text that names no lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a lane: async, thread, process or remote")]
pub struct NotALane;

impl FromStr for Lane {
    type Err = NotALane;

    fn from_str(text: &str) -> Result<Self, NotALane> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text).ok_or(NotALane)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
