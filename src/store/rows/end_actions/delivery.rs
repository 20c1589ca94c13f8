//! Rows of deliveries of webhooks.

use diesel::prelude::*;
use serde_json::Value;

use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::{BatchId, JobError, JobId, State, Timestamp};
use crate::store::error::StoreError;
use crate::store::rows::values::{count_of, state_of};

/// A delivery with the state of its job. The URL, the event and the status are parts of JSON texts.
#[derive(Debug, Queryable)]
pub(crate) struct DeliveryRow {
    id: i64,
    job_id: Option<i64>,
    batch_id: Option<i64>,
    url: Option<String>,
    event: Option<String>,
    state: i64,
    attempt: i64,
    max_attempts: i64,
    created_at: i64,
    run_at: i64,
    finished_at: Option<i64>,
    error_code: Option<String>,
    error_message: Option<String>,
    /// Status in the result of a completed delivery.
    accepted_status: Option<i64>,
    /// Status of the latest attempt that has a row.
    attempt_status: Option<i64>,
}

impl DeliveryRow {
    /// Returns the job or batch that the delivery belongs to. A constraint makes sure that it has one.
    pub(crate) fn owner(&self) -> Option<Owner> {
        let job = self.job_id.map(|id| Owner::Job(JobId(id)));
        job.or_else(|| self.batch_id.map(|id| Owner::Batch(BatchId(id))))
    }

    /// Converts the row to the delivery as the API shows it.
    pub(crate) fn into_status(self) -> Result<DeliveryStatus, StoreError> {
        let state = state_of(self.id, self.state)?;
        let event = self.event.map(Value::String);
        let status = self.accepted_status.or(self.attempt_status);
        let error = self.error_code.zip(self.error_message);
        Ok(DeliveryStatus {
            id: JobId(self.id),
            event: event.and_then(|event| serde_json::from_value(event).ok()),
            url: self.url,
            state,
            attempt: count_of(self.attempt),
            max_attempts: count_of(self.max_attempts),
            status: status.and_then(|status| u16::try_from(status).ok()),
            created_at: Timestamp::from_millis(self.created_at),
            next_attempt_at: (state == State::Retrying)
                .then_some(Timestamp::from_millis(self.run_at)),
            finished_at: self.finished_at.map(Timestamp::from_millis),
            error: error.map(|(code, message)| JobError { code, message }),
        })
    }
}
