//! The bounds: how many workers, how large a request, how much at once.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::problem::Problem;

/// How many workers each local lane has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lanes {
    /// Network calls and async handlers.
    #[serde(rename = "async")]
    pub async_: u32,
    /// Blocking handlers, a thread each.
    pub thread: u32,
    /// Child processes.
    pub process: u32,
}

impl Default for Lanes {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        Self { async_: 512, thread: cores, process: cores }
    }
}

impl Lanes {
    /// The most workers of a lane.
    const MAX_WORKERS: [(&'static str, u32); 3] =
        [("/async", 20_000), ("/thread", 1_024), ("/process", 1_024)];

    /// The workers by lane; the remote lane has none here.
    pub fn workers(&self) -> [u32; Lane::COUNT] {
        [self.async_, self.thread, self.process, 0]
    }

    /// What is wrong with these numbers.
    pub fn problems(&self) -> Vec<Problem> {
        let out_of_range = Self::MAX_WORKERS.into_iter().zip(self.workers());
        out_of_range
            .filter(|((_, most), count)| !(1..=*most).contains(count))
            .map(|((place, most), _)| Problem::new(place, format!("lies between 1 and {most}")))
            .collect()
    }
}

/// The bounds of requests, queues and results. Past one the caller gets a clear 4xx or 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest request body.
    pub max_body_bytes: usize,
    /// The largest payload of one job.
    pub max_payload_bytes: usize,
    /// The largest result that is kept; a larger one is cut and flagged.
    pub max_result_bytes: usize,
    /// The most jobs in one request.
    pub max_jobs_per_request: usize,
    /// How many write requests may be under way.
    pub max_writes_in_flight: usize,
    /// How many bytes of submissions may be under way.
    pub max_write_bytes_in_flight: usize,
    /// How many reads may be under way.
    pub max_reads_in_flight: usize,
    /// How many clients may wait for a job or batch to end.
    pub max_waits: usize,
    /// How many queues there may be.
    pub max_queues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_payload_bytes: 4 << 20,
            max_result_bytes: 1 << 20,
            max_jobs_per_request: 10_000,
            max_writes_in_flight: 8_192,
            max_write_bytes_in_flight: 256 << 20,
            max_reads_in_flight: 1_024,
            max_waits: 20_000,
            max_queues: 10_000,
        }
    }
}

impl Limits {
    /// What is wrong with these numbers.
    pub fn problems(&self) -> Vec<Problem> {
        let ranges = [
            ("/max_body_bytes", self.max_body_bytes, 1 << 30),
            ("/max_payload_bytes", self.max_payload_bytes, 256 << 20),
            ("/max_result_bytes", self.max_result_bytes, 256 << 20),
            ("/max_jobs_per_request", self.max_jobs_per_request, 1_000_000),
            ("/max_writes_in_flight", self.max_writes_in_flight, 1_000_000),
            ("/max_write_bytes_in_flight", self.max_write_bytes_in_flight, 1 << 40),
            ("/max_reads_in_flight", self.max_reads_in_flight, 1_000_000),
            ("/max_waits", self.max_waits, 1_000_000),
            ("/max_queues", self.max_queues, 1_000_000),
        ];
        let mut problems: Vec<Problem> = ranges
            .into_iter()
            .filter(|(_, value, most)| !(1..=*most).contains(value))
            .map(|(place, _, most)| Problem::new(place, format!("lies between 1 and {most}")))
            .collect();
        if self.max_write_bytes_in_flight < 2 * self.max_body_bytes {
            let why =
                "is at least twice max_body_bytes, or the largest request could never be taken";
            problems.push(Problem::new("/max_write_bytes_in_flight", why));
        }
        problems
    }
}
