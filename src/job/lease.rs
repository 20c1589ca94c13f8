//! Leases: the right to run one attempt of a job until the lease expires.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::limit::provider::ProviderName;
use crate::job::payload::Json;
use crate::job::queue::QueueName;
use crate::job::time::{Span, Timestamp};
use crate::job::{BatchId, JobId, KeyId};

/// Fencing token of a lease.
///
/// The token increases with every lease of a job. A finish with an older token comes from a worker
/// that no longer holds the lease, and is refused. The attempt number cannot serve as a token
/// because a release decreases it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(pub i64);

/// Identifies a lease by its job and fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Id of the leased job.
    pub job: JobId,
    /// Fencing token of the lease.
    pub token: LeaseToken,
}

/// What a remote worker must know about a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// The worker holds the lease, and its attempt should go on.
    Held,
    /// The worker holds the lease, but its job was cancelled: the attempt should stop.
    CancelRequested,
    /// The worker does not hold the lease, so it can no longer report an outcome.
    Stale,
}

/// A leased job, with the data that a worker needs to run it.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedJob {
    /// Lease under which the attempt runs.
    pub lease: Lease,
    /// Time at which the lease expires unless it is renewed.
    pub lease_expires_at: Timestamp,
    /// Time at which the attempt started.
    pub started_at: Timestamp,
    /// Name of the executor or handler that runs the job.
    pub kind: String,
    /// Queue that the job belongs to.
    pub queue: QueueName,
    /// Pool of workers that runs the job.
    pub lane: Lane,
    /// Number of the attempt, counted from 1.
    pub attempt: u32,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// Maximum duration of the attempt.
    pub timeout: Span,
    /// Batch that the job belongs to, if any.
    pub batch: Option<BatchId>,
    /// Provider that the job calls, if any.
    pub provider: Option<ProviderName>,
    /// API key with which the job was submitted, if any.
    pub key: Option<KeyId>,
    /// Tags of the job; empty for a job that runs in the server, because only remote workers get them.
    pub tags: Vec<String>,
    /// JSON object of the application, if any; `None` for a job that runs in the server.
    pub metadata: Option<Json>,
    /// Input of the job.
    pub payload: Json,
}

impl LeasedJob {
    /// Returns the size of the payload, tags and metadata, in bytes.
    pub fn text_bytes(&self) -> usize {
        let tags = self.tags.iter().map(String::len).sum::<usize>();
        self.payload.as_str().len() + tags + self.metadata_bytes()
    }

    /// Returns the size of the metadata, in bytes.
    pub fn metadata_bytes(&self) -> usize {
        self.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len())
    }
}
