//! Limits: how many jobs may run at once or start in a period, and what holds them back.
//!
//! The store applies these rules in the transaction that leases jobs, so that limits hold over restarts.

pub mod provider;
pub mod provider_name;
pub mod queue_shares;
pub mod starts;
pub mod trial;
pub mod waiting;

use crate::job::queue::{QueueSettings, Rate};
use crate::job::time::Timestamp;
use starts::Starts;

/// Why no further job may start now, for a queue or a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The queue is paused.
    Paused,
    /// As many jobs run as may run at once.
    Full,
    /// The rate limit allows the next start at this time.
    Rate(Timestamp),
    /// The provider asked for no calls until this time.
    Pause(Timestamp),
    /// The provider has not been called before, and more calls may start at this time.
    Trial(Timestamp),
}

impl Held {
    /// Returns the time at which a start may be possible, if it is known.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Paused | Self::Full => None,
            Self::Rate(at) | Self::Pause(at) | Self::Trial(at) => Some(at),
        }
    }
}

/// How many jobs may start now, and why not more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Number of jobs that may start; `u32::MAX` without a limit.
    pub jobs: u32,
    /// The limit that allows no further start, once these have started.
    pub held: Option<Held>,
}

impl Room {
    /// Room without a limit.
    pub const UNLIMITED: Self = Self { jobs: u32::MAX, held: None };

    /// Returns the smaller room.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if other.jobs < self.jobs { other } else { self }
    }

    /// Returns the room that a limit on running jobs leaves.
    pub fn by_running(max: Option<u32>, running: u32) -> Self {
        max.map_or(Self::UNLIMITED, |max| Self {
            jobs: max.saturating_sub(running),
            held: Some(Held::Full),
        })
    }

    /// Returns the room that a rate limit leaves.
    pub fn by_rate(rate: Option<Rate>, starts: &Starts, now: Timestamp) -> Self {
        rate.map_or(Self::UNLIMITED, |rate| Self {
            jobs: starts.room(rate, now),
            held: Some(Held::Rate(starts.frees_at(rate, now).unwrap_or(now))),
        })
    }
}

impl QueueSettings {
    /// Returns whether any limit applies to the queue.
    pub fn is_limited(&self) -> bool {
        self.paused || self.max_running.is_some() || self.rate.is_some()
    }

    /// Returns how many jobs of a queue may start at `now`, of which `running` run and which had these
    /// recent starts.
    pub fn room(&self, running: u32, starts: &Starts, now: Timestamp) -> Room {
        if self.paused {
            return Room { jobs: 0, held: Some(Held::Paused) };
        }
        Room::by_running(self.max_running, running).min(Room::by_rate(self.rate, starts, now))
    }
}
