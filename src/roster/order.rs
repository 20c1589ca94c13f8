//! What the roster and the store exchange: orders, their results, and queued jobs.

use std::sync::Arc;

use super::waiting_workers::WaitingWorkerId;
use crate::job::lane::Lane;
use crate::job::limit::Held;
use crate::job::limit::provider::ProviderName;
use crate::job::queue::QueueName;

/// Order to lease up to `limit` jobs of one queue in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseOrder {
    /// Queue to lease from.
    pub queue: QueueName,
    /// Lane of the workers that the jobs are for.
    pub lane: Lane,
    /// Kinds to lease, without duplicates; `None` for all. Only set in the remote lane.
    pub kinds: Option<Arc<[String]>>,
    /// Maximum number of jobs to lease.
    pub limit: u32,
    /// Remote worker that the jobs are for; `None` for the workers of this process.
    pub waiting_worker: Option<WaitingWorkerId>,
    /// Total size of large payloads, in bytes, at which no further job with a large payload is leased to
    /// the workers of this process. It does not limit the remote lane.
    pub payload_room: usize,
    /// Whether jobs without a provider may start.
    pub without_provider: bool,
    /// Providers whose jobs may start, without duplicates.
    pub providers: Vec<ProviderShare>,
}

/// Number of jobs of a provider that an order may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderShare {
    /// The provider.
    pub provider: ProviderName,
    /// Maximum number of jobs.
    pub limit: u32,
}

/// What the store answered to an order.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeaseResult<'a> {
    /// Number of jobs that were leased.
    pub started: u32,
    /// Whether no other job without a provider matches the order.
    pub is_empty: bool,
    /// The limit that held further jobs back.
    pub held: Option<Held>,
    /// Whether the next job has a large payload for which there was no room.
    pub is_large_next: bool,
    /// Providers of the order that have no further job in the queue.
    pub empty_providers: &'a [ProviderName],
}

/// A queued job, as far as it matters for the order in which queues are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyJob<'a> {
    /// Queue of the job.
    pub queue: &'a QueueName,
    /// Lane of the job.
    pub lane: Lane,
    /// Kind of the job, in the remote lane.
    pub remote_kind: Option<&'a str>,
    /// Provider that the job calls.
    pub provider: Option<&'a ProviderName>,
}
