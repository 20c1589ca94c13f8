//! Submissions: jobs to insert, with a batch or into one.

use std::sync::Arc;

use crate::auth::key_id::KeyId;
use crate::job::submission::on_end::OnEnd;
use crate::job::{IdempotencyKey, NewJob, Span};
use crate::store::write::Write;

/// A submission: jobs to insert, all or none.
#[derive(Debug, Clone)]
pub struct Submit {
    /// The jobs; at least one, unless they are a batch. Shared because the caller needs them again for its answer.
    pub jobs: Arc<[NewJob]>,
    /// Idempotency key, if the client sent one.
    pub key: Option<SubmissionKey>,
    /// Batch to create for the jobs.
    pub batch: Option<NewBatch>,
}

/// Idempotency key of a submission, with the fingerprints that its repetitions must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionKey {
    /// Key that the client chose.
    pub key: IdempotencyKey,
    /// API key of the client. The same idempotency key of another API key is another one; those of clients without
    /// an API key are visible to all.
    pub owner: Option<KeyId>,
    /// SHA-256 of the submission by value; a repetition must have the same one.
    pub fingerprint: [u8; 32],
    /// SHA-256 of the bytes of the request. It is compared with keys that versions up to 0.2.0 stored.
    pub byte_fingerprint: [u8; 32],
}

impl SubmissionKey {
    /// Creates a key whose fingerprint the caller computes by a rule of its own.
    pub fn new(key: IdempotencyKey, fingerprint: [u8; 32]) -> Self {
        Self { key, owner: None, fingerprint, byte_fingerprint: fingerprint }
    }
}

/// A batch to create.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewBatch {
    /// Name that the client chose.
    pub name: Option<String>,
    /// What happens when the batch ends.
    pub on_end: Option<Box<OnEnd>>,
    /// Time for which jobs can be added; `None` for a batch that is closed at once.
    pub open_for: Option<Span>,
}

impl Write {
    /// Returns the jobs of a client that this inserts, if it does.
    pub(crate) fn submission(&self) -> Option<&Submit> {
        match self {
            Self::Submit(submit) | Self::AddJobs { submit, .. } => Some(submit),
            Self::Within(_, write) => write.submission(),
            _ => None,
        }
    }

    /// Returns the submission if it has jobs, no idempotency key and no batch. Such submissions can
    /// be inserted together and in any order.
    pub fn plain_submit(&self) -> Option<&Submit> {
        match self {
            Self::Submit(submit) => {
                let Submit { jobs, key, batch } = submit;
                (!jobs.is_empty() && key.is_none() && batch.is_none()).then_some(submit)
            }
            _ => None,
        }
    }
}

impl Submit {
    /// Returns the size of the texts that the submission stores, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.jobs.iter().map(job_bytes).sum()
    }
}

fn job_bytes(job: &NewJob) -> usize {
    let on_end = job.on_end.as_ref().map_or(0, |on_end| on_end.bytes());
    job.payload.as_str().len() + job.metadata.as_ref().map_or(0, |json| json.as_str().len()) + on_end
}
