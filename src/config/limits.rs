//! Numeric limits: workers per lane, sizes of requests and results, requests in flight.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::limit::queue_shares::QueueShares;
use crate::job::problem::Problem;
use crate::job::queue::QueueName;
use crate::job::submission::on_end::callback::CALLBACK_GROUPS;

/// Number of workers of each local lane.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of numbers")]
pub struct Lanes {
    /// Workers of the async lane, which run network calls and async handlers.
    #[serde(rename = "async")]
    pub async_: u32,
    /// Workers of the thread lane. Each runs blocking handlers on a thread of its own.
    pub thread: u32,
    /// Workers of the process lane, which run child processes.
    pub process: u32,
    /// Largest part of the async lane that the jobs of one queue without `max_running` may have, above 0
    /// and up to 1, so that a queue whose calls hang leaves workers to the others.
    pub queue_share: f64,
}

impl Default for Lanes {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        Self { async_: 512, thread: cores, process: cores, queue_share: 0.75 }
    }
}

impl Lanes {
    /// Maximum number of workers of each lane.
    const MAX_WORKERS: [(&'static str, u32); 3] =
        [("/async", 20_000), ("/thread", 1_024), ("/process", 1_024)];

    /// Returns the number of workers by lane. The remote lane has no workers in this process.
    pub fn workers(&self) -> [u32; Lane::COUNT] {
        [self.async_, self.thread, self.process, 0]
    }

    /// Returns the number of jobs of one queue without `max_running` that may run in the async lane:
    /// `queue_share` of its workers, and at least one.
    pub fn share_of_async(&self) -> u32 {
        // The product is at most the number of workers.
        ((f64::from(self.async_) * self.queue_share) as u32).max(1)
    }

    /// Returns the number of jobs of a queue without `max_running` that may run in the async lane. The deliveries of
    /// webhooks have at most half of it.
    pub fn share_of(&self, queue: &QueueName) -> u32 {
        let (jobs, deliveries) = (self.share_of_async(), self.share_of_callbacks());
        QueueShares { jobs, deliveries }.of(queue)
    }

    /// Returns the maximum number of webhooks that are delivered at once: half of the workers of the async lane,
    /// and at least one.
    pub fn share_of_callbacks(&self) -> u32 {
        (self.async_ / 2).max(1)
    }

    /// Returns the maximum number of webhooks of one group of receivers that are delivered at once: an equal part
    /// of their half of the async lane, and two if that is less, so that no host needs to have all of it.
    pub fn callbacks_per_group(&self) -> u32 {
        (self.async_ / (2 * CALLBACK_GROUPS)).max(2).min(self.share_of_callbacks())
    }

    /// Returns the maximum number of webhooks to one host that are delivered at once: half of those of its group,
    /// and at least one.
    pub fn callbacks_per_host(&self) -> u32 {
        (self.callbacks_per_group() / 2).max(1)
    }

    /// Returns the problems of these numbers.
    pub fn problems(&self) -> Vec<Problem> {
        let lanes = Self::MAX_WORKERS.into_iter().zip(self.workers());
        let share = (!(self.queue_share > 0.0 && self.queue_share <= 1.0))
            .then(|| Problem::new("/queue_share", "must be above 0 and at most 1"));
        lanes
            .filter(|((_, max), count)| !(1..=*max).contains(count))
            .map(|((pointer, max), _)| {
                Problem::new(pointer, format!("must be between 1 and {max}"))
            })
            .chain(share)
            .collect()
    }
}

/// Limits of requests, queues and results. A request over a limit gets a 4xx status or 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of numbers")]
pub struct Limits {
    /// Maximum size of a request body, in bytes.
    pub max_body_bytes: usize,
    /// Maximum size of the payload of one job, in bytes.
    pub max_payload_bytes: usize,
    /// Maximum size of a stored result, in bytes. A larger result is truncated and flagged.
    pub max_result_bytes: usize,
    /// Total size of the payloads over 32 KiB of the jobs that run in this process, in bytes, from which on no
    /// further job with such a payload starts. A queue may use three quarters of what the others leave free.
    /// The last job that starts may exceed it.
    pub max_running_bytes: usize,
    /// Maximum number of jobs in one request.
    pub max_jobs_per_request: usize,
    /// Maximum number of write requests in flight.
    pub max_writes_in_flight: usize,
    /// Maximum total size of the submissions in flight, in bytes.
    pub max_write_bytes_in_flight: usize,
    /// Maximum total size of large answers that clients have not taken yet, in bytes.
    pub max_answer_bytes_in_flight: usize,
    /// Maximum number of connections of clients. Lower if the limit on open files requires it.
    pub max_connections: usize,
    /// Maximum number of reads in flight.
    pub max_reads_in_flight: usize,
    /// Maximum number of clients that wait at once: for a job or batch to end, or for jobs to lease.
    pub max_waits: usize,
    /// Maximum number of queues.
    pub max_queues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_payload_bytes: 4 << 20,
            max_result_bytes: 1 << 20,
            max_running_bytes: 64 << 20,
            max_jobs_per_request: 10_000,
            max_writes_in_flight: 8_192,
            max_write_bytes_in_flight: 256 << 20,
            max_answer_bytes_in_flight: 128 << 20,
            max_connections: 28_000,
            max_reads_in_flight: 1_024,
            max_waits: 20_000,
            max_queues: 10_000,
        }
    }
}

impl Limits {
    /// Returns the problems of these numbers.
    pub fn problems(&self) -> Vec<Problem> {
        let ranges = [
            ("/max_body_bytes", self.max_body_bytes, 1 << 30),
            ("/max_payload_bytes", self.max_payload_bytes, 256 << 20),
            ("/max_result_bytes", self.max_result_bytes, 256 << 20),
            ("/max_running_bytes", self.max_running_bytes, 1 << 40),
            ("/max_jobs_per_request", self.max_jobs_per_request, 1_000_000),
            ("/max_writes_in_flight", self.max_writes_in_flight, 1_000_000),
            ("/max_write_bytes_in_flight", self.max_write_bytes_in_flight, 1 << 40),
            ("/max_answer_bytes_in_flight", self.max_answer_bytes_in_flight, 1 << 40),
            ("/max_connections", self.max_connections, 1_000_000),
            ("/max_reads_in_flight", self.max_reads_in_flight, 1_000_000),
            ("/max_waits", self.max_waits, 1_000_000),
            ("/max_queues", self.max_queues, 1_000_000),
        ];
        let mut problems: Vec<Problem> = ranges
            .into_iter()
            .filter(|(_, value, max)| !(1..=*max).contains(value))
            .map(|(pointer, _, max)| Problem::new(pointer, format!("must be between 1 and {max}")))
            .collect();
        if self.max_write_bytes_in_flight < 2 * self.max_body_bytes {
            let why = "must be at least twice max_body_bytes; \
                       otherwise the largest request could never be accepted";
            problems.push(Problem::new("/max_write_bytes_in_flight", why));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::submission::on_end::callback::CALLBACK_QUEUE;

    #[test]
    fn webhooks_have_half_of_the_async_lane_and_a_host_half_of_its_group() {
        for (async_, all, of_group, of_host) in [
            (1, 1, 1, 1),
            (3, 1, 1, 1),
            (4, 2, 2, 1),
            (8, 4, 2, 1),
            (31, 15, 2, 1),
            (64, 32, 2, 1),
            (512, 256, 16, 8),
            (20_000, 10_000, 625, 312),
        ] {
            let lanes = Lanes { async_, ..Lanes::default() };
            assert_eq!(lanes.share_of_callbacks(), all, "{async_}");
            assert_eq!(lanes.callbacks_per_group(), of_group, "{async_}");
            assert_eq!(lanes.callbacks_per_host(), of_host, "{async_}");
            let queue: QueueName = CALLBACK_QUEUE.parse().unwrap();
            assert_eq!(lanes.share_of(&queue), all.min(lanes.share_of_async()), "{async_}");
        }
        let small = Lanes { queue_share: 0.1, ..Lanes::default() };
        assert_eq!(small.share_of(&CALLBACK_QUEUE.parse().unwrap()), 51);
        assert_eq!(Lanes::default().share_of(&QueueName::default()), 384);
    }
}
