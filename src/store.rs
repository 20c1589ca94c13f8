//! Storage: the traits of a backend, and the types that its reads and writes use.
//!
//! A backend is one [`WriteStore`] and any number of [`ReadStore`]s on the same tables. Every backend
//! must pass the suite in `tests/store/`. Diesel is used only in this module.
//!
//! # What a backend stores
//!
//! - Queues: name, [`QueueSettings`](crate::job::queue::QueueSettings) and the number of jobs in each
//!   state. The first write that names a queue creates it; queues are never removed.
//! - Jobs: the fields of [`Job`](crate::job::Job), the backoff, and the lease token, which is 0 until the first lease.
//!   Job and batch ids are positive, rise and are never reused, not even after a deletion.
//! - Of each job: its result, one failure per failed attempt (keyed by lease token), and the end of
//!   its log with the number of bytes logged in total.
//! - Batches: name, total, jobs by state, the time at which the last job became final, and the order in which
//!   its jobs ended.
//! - Idempotency keys: fingerprint, first job id, number of jobs, batch and time of the submission.
//! - Of each job in the remote lane: the worker name and the duration of its latest lease.
//! - [Time buckets](crate::metrics::time_bucket::TimeBucket) of about the last hour.
//! - API keys: name, digest of the secret, scopes, queue patterns, and the times of their lives. Key ids are
//!   never reused.
//! - Webhook secrets: name, value, the value before the last rotation with its end, and the times of their lives.
//! - The [epoch](crate::job::epoch): the smallest lease token, and whether the database is a copy.

pub mod answer;
mod codes;
mod error;
mod filter;
mod group;
mod page;
pub mod provider;
mod read_store;
mod rows;
#[allow(missing_docs, unreachable_pub, reason = "printed by Diesel")]
mod schema;
mod sql_types;
pub mod sqlite;
pub mod write;
mod write_store;

pub use crate::job::Change;
pub use answer::{Answer, Committed, Finished, Leased, MoveSummary, Refusal, Renewed, Submitted};
pub use error::{OpenError, StoreError};
pub use filter::{BatchJobsQuery, EndQuery, JobFilter, ResultQuery};
pub use page::{BatchJobs, BatchPage, BatchUpdate, JobPage, ResultPage};
pub use provider::ProviderStatus;
pub use read_store::{BackendDuty, Checkpoint, JobUpdate, Prunable, QueueSubset, ReadStore, StoredKeys};
pub(crate) use write::MOVE_AT_ONCE;
pub use write::{
    Finish, Holder, JobLocation, LeaseRequest, LogLines, MAX_KEYS, MAX_WEBHOOK_SECRETS, NewBatch, Renew, RescueScope,
    SubmissionKey, Submit, Write,
};
pub use write_store::{NewEpoch, WriteStore};
