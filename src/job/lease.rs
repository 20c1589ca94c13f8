//! The right to run one attempt of a job, for a time.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::payload::Json;
use crate::job::queue::QueueName;
use crate::job::time::{Span, Timestamp};
use crate::job::{BatchId, JobId};

/// The fencing number of a lease.
///
/// It rises with every lease of its job, whereas a release gives an attempt number back: a finish
/// that carries an older token comes from a worker whose lease was taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(pub i64);

/// Which lease is meant: a job and its fencing number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The fencing number.
    pub token: LeaseToken,
}

/// A job as its worker needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedJob {
    /// The lease under which it runs.
    pub lease: Lease,
    /// When the lease runs out unless it is renewed.
    pub lease_expires_at: Timestamp,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// Which executor or handler runs it.
    pub kind: String,
    /// Its queue.
    pub queue: QueueName,
    /// The pool that runs it.
    pub lane: Lane,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub max_attempts: u32,
    /// How long the attempt may take.
    pub timeout: Span,
    /// Its batch, if it is in one.
    pub batch: Option<BatchId>,
    /// Its input.
    pub payload: Json,
}
