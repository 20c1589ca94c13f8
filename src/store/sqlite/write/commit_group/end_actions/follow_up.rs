//! Follow-up jobs: inserted with the references of their payload filled in.

use diesel::prelude::*;
use serde::Serialize;

use crate::job::batch::Batch;
use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::callback::CallbackEvent;
use crate::job::submission::on_end::follow_up::FollowUp;
use crate::job::submission::on_end::reference;
use crate::job::problem::Problem;
use crate::job::{BatchId, Job, JobId, Json, Lane, State};
use crate::store::Change;
use crate::store::rows::job::SummaryRow;
use crate::store::rows::values::count_of;
use crate::store::schema::{job_extras, jobs, queues, remote_leases};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::batch;
use crate::store::sqlite::write::commit_group::CommitGroup;

/// Error code of a follow-up job that was cancelled because its references cannot be filled in.
pub(crate) const BAD_REFERENCE: &str = "bad_reference";

/// Kind of the jobs whose payload may name secrets.
const HTTP_KIND: &str = "http";

statement! {
    FindResult -> Text = "SELECT result FROM results WHERE job_id = " [job: Integer as i64]
}

statement! {
    ResultBytes -> Integer =
    "SELECT coalesce(sum(octet_length(result)), 0) FROM jobs JOIN results ON job_id = id
     WHERE batch_id = " [batch: Integer as i64]
}

statement! {
    ResultsOfBatch -> Nullable<Text> =
    "SELECT result FROM jobs LEFT JOIN results ON job_id = id
     WHERE batch_id = " [batch: Integer as i64] " ORDER BY id"
}

statement! {
    /// Cancels a follow-up job whose references cannot be filled in.
    CancelUnfilled<'a> =
    "UPDATE jobs
     SET state = " {Cancelled} ", finished_at = " [now: Integer as i64]
    ", error_code = " [code: Text as &'a str] ", error_message = " [message: Text as &'a str]
    " WHERE id = " [job: Integer as i64]
}

/// Document to which the references of a batch's follow-up job refer.
#[derive(Serialize)]
struct BatchDocument<'a> {
    #[serde(flatten)]
    batch: &'a Batch,
    /// Results of its jobs in the order of submission; `null` for one that has none.
    results: Vec<Option<Json>>,
}

/// Maximum number of jobs of a batch whose results a follow-up job can refer to. The transaction that ends the batch
/// reads all of them, and other writes wait for it.
const MAX_RESULTS: i64 = 10_000;

impl CommitGroup<'_> {
    /// Inserts a follow-up job. If its references cannot be filled in, it is cancelled at once with the
    /// reason.
    pub(super) fn insert_follow_up(
        &mut self,
        owner: Owner,
        follow_up: &FollowUp,
    ) -> Result<(), TransactionError> {
        let payload = &follow_up.job.payload;
        let is_http = follow_up.job.kind.as_str() == HTTP_KIND;
        let filled = match follow_up.refers_to {
            None => Ok(payload.clone()),
            Some(_) => match self.document(owner)? {
                Ok(document) => reference::fill(payload, &document, is_http, self.max_payload_bytes),
                Err(problem) => Err(problem),
            },
        };
        let (payload, problem) = match filled {
            Ok(payload) => (payload, None),
            Err(problem) => (payload.clone(), Some(problem)),
        };
        let job = follow_up.job(payload, self.now);
        let Some(id) = self.insert_at_end(&job)? else { return Ok(()) };
        if job.lane == Lane::Remote {
            // The roster learns of it from the change, because no submission names it.
            if let Some(change) = self.changes.last_of(id) {
                change.remote_kind = Some(job.kind.as_str().into());
            }
        }
        owner.set_follow_up(id, self.connection)?;
        match problem {
            Some(problem) => self.cancel_unfilled(owner, id, &problem),
            None => Ok(()),
        }
    }

    fn cancel_unfilled(
        &mut self,
        owner: Owner,
        job: JobId,
        problem: &Problem,
    ) -> Result<(), TransactionError> {
        let message = format!("the payload cannot be filled in at the end of {owner}: {problem}");
        let cancel =
            CancelUnfilled { now: self.now.millis(), code: BAD_REFERENCE, message: &message, job: job.0 };
        cancel.execute(self.connection)?;
        if let Some(inserted) = self.changes.last_of(job).cloned() {
            let from = inserted.to;
            self.record(Change { from, to: Some(State::Cancelled), due_at: None, ..inserted });
        }
        Ok(())
    }

    /// Returns the document to which the references of a follow-up job refer.
    fn document(&mut self, owner: Owner) -> Result<Result<Json, Problem>, TransactionError> {
        match owner {
            Owner::Job(id) => Ok(Ok(self.result_of(id)?.unwrap_or_else(Json::null))),
            Owner::Batch(id) => self.document_of_batch(id),
        }
    }

    fn document_of_batch(
        &mut self,
        id: BatchId,
    ) -> Result<Result<Json, Problem>, TransactionError> {
        let Some(batch) = batch::find(self.connection, id)? else {
            return Ok(Err(Problem::new("", "the batch was removed")));
        };
        if batch.total > MAX_RESULTS {
            let why = format!(
                "the batch has {} jobs; the results of at most {MAX_RESULTS} can be filled in",
                batch.total
            );
            return Ok(Err(Problem::new("", why)));
        }
        let bytes: i64 = ResultBytes { batch: id.0 }.get_result(self.connection)?;
        let max = self.max_payload_bytes;
        if count_of(bytes) as usize > max {
            let why = format!("the results of the batch have {bytes} bytes; at most {max} can be filled in");
            return Ok(Err(Problem::new("", why)));
        }
        let results: Vec<Option<String>> =
            ResultsOfBatch { batch: id.0 }.load(self.connection)?;
        let (left, total) = (results.len(), count_of(batch.total) as usize);
        if left < total {
            // Without these, the others would have other places in the list.
            let why = format!("{} of {total} jobs of the batch were removed with their results", total - left);
            return Ok(Err(Problem::new("", why)));
        }
        let results = results.into_iter().map(|result| result.map(Json::trusted)).collect();
        let document = Json::of(&BatchDocument { batch: &batch, results });
        Ok(document.map_err(|error| Problem::new("", error)))
    }

    /// Returns the result of a job.
    pub(super) fn result_of(&mut self, job: JobId) -> Result<Option<Json>, TransactionError> {
        let result: Option<String> =
            FindResult { job: job.0 }.get_result(self.connection).optional()?;
        Ok(result.map(Json::trusted))
    }

    /// Returns a job with its metadata and the event of its end. Returns `None` if the job is no longer in a
    /// final state, because the same group has queued it again.
    pub(super) fn find_ended(
        &mut self,
        id: JobId,
    ) -> Result<Option<(Job, CallbackEvent)>, TransactionError> {
        let row: Option<(SummaryRow, Option<String>)> = jobs::table
            .inner_join(queues::table)
            .left_join(remote_leases::table)
            .left_join(job_extras::table)
            .filter(jobs::id.eq(id.0))
            .select((SummaryRow::as_select(), job_extras::metadata.nullable()))
            .get_result(self.connection)
            .optional()?;
        let Some((row, metadata)) = row else { return Ok(None) };
        let mut job = match self.impossible.skip(row.into_job()) {
            Ok(Some(job)) => job,
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        job.metadata = metadata.map(Json::trusted);
        Ok(CallbackEvent::of_job(job.state).map(|event| (job, event)))
    }
}
