//! Follow-up jobs: submitted in the transaction that ends another job or a batch.

use serde::{Deserialize, Serialize};

use crate::job::payload::Json;
use crate::job::problem::Problem;
use crate::job::submission::new_job::NewJob;
use crate::job::submission::on_end::reference::{self, Source};
use crate::job::submission::on_end::then::Then;
use crate::job::time::{Span, Timestamp};

/// Maximum number of follow-up jobs in a chain: a `then` within a `then`, and so on.
pub const MAX_CHAIN: usize = 16;

/// A validated job that waits for the end of another job or a batch.
///
/// All defaults are filled in at the submission, so the job is the same whatever the configuration is
/// when it is inserted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// The job. Its payload may have references to the result.
    pub job: NewJob,
    /// Times that count from the insertion.
    #[serde(flatten)]
    pub times: RelativeTimes,
    /// Document to which the references of the payload refer; `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<Source>,
}

/// Times of a follow-up job that count from its insertion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelativeTimes {
    /// Time from the insertion to the earliest start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// Time from the insertion after which the job is cancelled if it has not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Span>,
}

impl FollowUp {
    /// Creates a follow-up job of a job or batch.
    ///
    /// # Errors
    /// Returns the problem of an invalid reference, with its JSON pointer.
    pub fn new(job: NewJob, times: RelativeTimes, source: Source) -> Result<Self, Problem> {
        let pointers = reference::find(&job.payload, source)?;
        let refers_to = (!pointers.is_empty()).then_some(source);
        Ok(Self { job, times, refers_to })
    }

    /// Describes the job before it is submitted.
    pub fn shown(&self) -> Then {
        let NewJob { kind, queue, .. } = &self.job;
        Then { kind: kind.as_str().to_owned(), queue: queue.clone(), job: None }
    }

    /// Returns the job to insert at `now` with a payload whose references are filled in.
    pub fn job(&self, payload: Json, now: Timestamp) -> NewJob {
        let RelativeTimes { delay, expires_in } = self.times;
        let after = |span: Span| now.plus(span.duration());
        let run_at = delay.map_or(self.job.run_at.max(now), after);
        let expires_at = expires_in.map(after).or(self.job.expires_at);
        NewJob { run_at, is_scheduled: run_at > now, expires_at, payload, ..self.job.clone() }
    }

    /// Returns the size of the stored texts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let metadata = self.job.metadata.as_ref().map_or(0, |json| json.as_str().len());
        let on_end = self.job.on_end.as_ref().map_or(0, |on_end| on_end.bytes());
        self.job.payload.as_str().len() + metadata + on_end
    }
}
