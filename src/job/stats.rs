//! What happened lately, as numbers for charts.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::queue::{QueueName, StateCounts};
use crate::job::time::{Span, Timestamp};

/// How long one point of a chart is.
pub const STEP: Span = Span::from_secs(10);
/// How many points a chart has: an hour.
pub const POINTS: usize = 360;

/// How a server, or one of its queues, does: now, and in the last hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// When this was so.
    pub at: Timestamp,
    /// Of which queue; of all together if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// How many jobs stand in each state.
    pub jobs: StateCounts,
    /// The pools, by lane. Of the whole server, even where a queue was asked for.
    pub lanes: Vec<LaneLoad>,
    /// How long one point covers.
    pub step: Span,
    /// The last hour, oldest first; the last point is still going on.
    pub points: Vec<Point>,
    /// From being due to the start of an attempt, in the last hour.
    pub start: Latency,
    /// From the start of an attempt to its end, in the last hour.
    pub run: Latency,
}

/// How busy the workers of a lane are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLoad {
    /// Which.
    pub lane: Lane,
    /// How many workers there are; none where that is not known: remote workers come and go.
    pub workers: Option<u32>,
    /// How many of them run a job.
    pub busy: u32,
}

/// What happened in one stretch of time, and how things stood at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// When it began.
    pub at: Timestamp,
    /// Jobs that were submitted.
    pub submitted: u64,
    /// Attempts that began.
    pub started: u64,
    /// Jobs that were completed.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Attempts that failed and are made again.
    pub retried: u64,
    /// Jobs that waited at its end: queued, scheduled and retrying ones.
    pub waiting: u64,
    /// Jobs that ran at its end.
    pub running: u64,
    /// From being due to the start.
    pub start: Latency,
    /// From the start of an attempt to its end.
    pub run: Latency,
}

/// How long something took, in milliseconds; none where nothing did. Exact to a tenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half took no longer.
    pub p50_ms: Option<u64>,
    /// 99 of 100 took no longer.
    pub p99_ms: Option<u64>,
}
