//! Writes about running attempts: their outcomes, renewals, log lines and rescue.

use crate::auth::key_id::KeyId;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::{
    BatchId, JobId, Lane, Log, Progress, ProviderName, QueueName, Span,
    Timestamp,
};

/// The outcome of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// Lease of the attempt.
    pub lease: Lease,
    /// Outcome of the attempt.
    pub outcome: Outcome,
    /// Whether a local or a remote worker reports it.
    pub holder: Holder,
    /// Location of the job, if the worker knows it; saves a lookup. Ignored if it is of another job.
    pub location: Option<JobLocation>,
    /// Time at which the attempt started, if the worker knows it. Used only with `location`.
    pub started_at: Option<Timestamp>,
}

/// Queue, lane and batch of a job. Only an update of a job that waits changes its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLocation {
    /// Id of the job.
    pub job: JobId,
    /// Queue of the job.
    pub queue: QueueName,
    /// Lane of the job.
    pub lane: Lane,
    /// Batch of the job, if it belongs to one.
    pub batch: Option<BatchId>,
    /// Provider that the job calls, if any.
    pub provider: Option<ProviderName>,
    /// API key with which the job was submitted, if any.
    pub key: Option<KeyId>,
}

impl JobLocation {
    /// Returns the location of a leased job.
    pub fn of(job: &LeasedJob) -> Self {
        Self {
            job: job.lease.job,
            queue: job.queue.clone(),
            lane: job.lane,
            batch: job.batch,
            provider: job.provider.clone(),
            key: job.key,
        }
    }
}

/// Kind of worker that holds a lease.
///
/// A store refuses a call from the wrong kind of worker. The token alone is not enough, because
/// tokens of different jobs may be equal and a remote worker may name a wrong job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A worker of this process.
    Local,
    /// A remote worker with this API key, if it has one. A lease that was taken with a key belongs to it; a worker
    /// without a key may use all leases of the remote lane.
    Remote(Option<KeyId>),
}

impl Holder {
    /// Returns the kind of worker that runs the jobs of a lane.
    pub fn of(lane: Lane) -> Self {
        if lane == Lane::Remote { Self::Remote(None) } else { Self::Local }
    }

    /// Returns whether this kind of worker runs the jobs of a lane.
    pub fn holds(self, lane: Lane) -> bool {
        matches!(self, Self::Remote(_)) == (lane == Lane::Remote)
    }
}

/// Leases to extend. A renewal never shortens a lease.
#[derive(Debug, Clone)]
pub struct Renew {
    /// Leases to extend.
    pub leases: Vec<Lease>,
    /// Duration of the leases from now on; `None` means the one that the remote worker first asked for.
    /// In the remote lane a lease never outlasts the job's timeout.
    pub duration: Option<Span>,
    /// Whether a local or a remote worker renews them.
    pub holder: Holder,
    /// Progress to store for each lease that is held.
    pub progress: Option<Progress>,
    /// Whether the percentage of the last progress is kept, because the new one has none.
    pub keeps_percent: bool,
}

/// Lines that a running attempt adds to the log of its job.
#[derive(Debug, Clone)]
pub struct LogLines {
    /// Lease of the attempt.
    pub lease: Lease,
    /// Whether a local or a remote worker reports them.
    pub holder: Holder,
    /// The lines, with positions relative to the end of the stored log: a `from` of N means that N
    /// bytes were dropped in between.
    pub log: Log,
}

/// Selects the running jobs that a rescue ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescueScope {
    /// Jobs whose lease expired at `by` or earlier, earliest first.
    Expired {
        /// Time at which the rescue was decided. The rescue may be committed later; leases that held
        /// at this time are left alone, so that a renewal that is still under way can apply.
        by: Timestamp,
    },
    /// Jobs of local lanes, whose process is dead, and jobs of an earlier epoch in any lane. Commit it
    /// only before any worker starts. It first repairs clock skew: leases and retry pauses that
    /// start later than `now`, because the clock was set back, are moved to start at `now`.
    Dead,
}

impl RescueScope {
    /// Returns the scope of all jobs whose lease has expired when the transaction runs.
    pub fn expired_now() -> Self {
        Self::Expired { by: Timestamp::from_millis(i64::MAX) }
    }
}
