//! Submissions: insert new jobs, all or none.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::job::submission::on_end::OnEnd;
use crate::job::{BatchId, JobId, NewJob, QueueName, Timestamp};
use crate::store::rows::submission::SubmissionRow;
use crate::store::schema::{jobs, submissions};
use crate::store::sql_types::{Binary, Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::batch;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{
    ApplyError, ApplyResult, WriteResult, split_refusal,
};
use crate::store::{Answer, Refusal, SubmissionKey, Submit, Submitted};

statement! {
    /// Inserts an idempotency key, or replaces one whose jobs were all removed.
    InsertKey<'a> =
    "INSERT OR REPLACE INTO submissions
         (key_id, idempotency_key, by_value, fingerprint, first_job_id, jobs, batch_id, created_at)
     VALUES (" [owner: Integer as i64] ", " [key: Text as &'a str] ", 1, " [fingerprint: Binary as &'a [u8]]
    ", " [first: Integer as i64] ", " [jobs: Integer as i64]
    ", " [batch_id: Nullable<Integer> as Option<i64>] ", " [created_at: Integer as i64] ")"
}

statement! {
    FirstKey -> Nullable<Integer> = "SELECT min(created_at) FROM api_keys"
}

/// Owner of the idempotency keys of clients without an API key.
const WITHOUT_OWNER: i64 = 0;

/// Returns the API key that owns an idempotency key, as it is stored.
fn owner_code(key: &SubmissionKey) -> i64 {
    key.owner.map_or(WITHOUT_OWNER, |owner| owner.0)
}

impl CommitGroup<'_> {
    pub(crate) fn submit(&mut self, submit: &Submit) -> ApplyResult {
        if let Some(key) = &submit.key
            && let Some(earlier) = self.find_submission(key)?
        {
            return Ok(Answer::Submitted(earlier));
        }
        if submit.jobs.is_empty() && submit.batch.is_none() {
            return Err(Refusal::Rejected("a submission without jobs".into()).into());
        }
        // Before anything is inserted, because a refused write must change nothing.
        let on_end = submit.batch.as_ref().and_then(|batch| batch.on_end.as_deref());
        let then = on_end.and_then(|on_end| on_end.then.as_deref());
        match then.filter(|_| submit.jobs.is_empty()) {
            // A batch without jobs has no other cost, so its follow-up job counts instead of them.
            Some(then) => self.check_unfinished(std::slice::from_ref(&then.job))?,
            None => self.check_unfinished(&submit.jobs)?,
        }
        self.create_queues(&submit.jobs, on_end)?;
        let batch = match &submit.batch {
            Some(batch) => Some(Box::new(self.insert_batch(batch, &submit.jobs)?)),
            None => None,
        };
        let batch_id = batch.as_ref().map(|batch| batch.id);
        let first = self.insert_submitted(submit, batch_id)?;
        let count = submit.jobs.len();
        let at = self.now;
        Ok(Answer::Submitted(Submitted { first, count, batch, at, is_repeat: false }))
    }

    /// Inserts the jobs of a submission and its idempotency key, and returns the id of the first job.
    pub(super) fn insert_submitted(
        &mut self,
        submit: &Submit,
        batch: Option<BatchId>,
    ) -> Result<JobId, ApplyError> {
        let first = self.insert_jobs(submit.jobs.iter(), batch)?.unwrap_or(JobId(0));
        if let Some(key) = &submit.key {
            self.insert_key(key, first, submit.jobs.len(), batch)?;
        }
        Ok(first)
    }

    /// Inserts the jobs of several plain submissions together. Returns one result per submission.
    pub(crate) fn submit_together(
        &mut self,
        submits: &[&Submit],
    ) -> Result<Vec<WriteResult>, TransactionError> {
        let mut refusals: Vec<Option<Refusal>> = Vec::with_capacity(submits.len());
        for submit in submits {
            refusals.push(split_refusal(self.create_queues(&submit.jobs, None))?.err());
        }
        let accepted = submits.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none());
        let jobs = accepted.flat_map(|(submit, _)| submit.jobs.iter());
        let mut next = self.insert_jobs(jobs, None)?.map_or(0, |first| first.0);
        let answer = |(submit, refusal): (&&Submit, Option<Refusal>)| {
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
            let (first, count) = (JobId(next), submit.jobs.len());
            next += count as i64;
            let at = self.now;
            Ok(Answer::Submitted(Submitted { first, count, batch: None, at, is_repeat: false }))
        };
        Ok(submits.iter().zip(refusals).map(answer).collect())
    }

    /// Creates those queues of jobs, and of the jobs that their ends cause, that do not exist yet, all or
    /// none.
    pub(super) fn create_queues(
        &mut self,
        jobs: &[NewJob],
        on_end: Option<&OnEnd>,
    ) -> Result<(), ApplyError> {
        let names = jobs.iter().map(|job| &job.queue);
        let mut new: BTreeSet<_> = names.filter(|name| self.queue_ids.id(name).is_none()).collect();
        // So that the end of a job never fails because there are too many queues.
        let of_ends = jobs.iter().filter_map(|job| job.on_end.as_deref()).chain(on_end);
        let of_ends: Vec<QueueName> = of_ends.flat_map(OnEnd::queues).collect();
        new.extend(of_ends.iter().filter(|name| self.queue_ids.id(name).is_none()));
        let max = self.rules.max_queues;
        if !new.is_empty() && self.queue_ids.len() + new.len() > max {
            return Err(Refusal::TooManyQueues(max).into());
        }
        for name in new {
            self.queue_id(name)?;
        }
        Ok(())
    }

    /// Returns the earlier submission with this key, if any of its jobs still exists.
    pub(super) fn find_submission(
        &mut self,
        key: &SubmissionKey,
    ) -> Result<Option<Submitted>, ApplyError> {
        let mut found = self.find_key(owner_code(key), key)?;
        if found.is_none() && key.owner.is_some() {
            // Those from before the first API key are visible to all.
            let first_key: Option<i64> = FirstKey {}.get_result(self.connection)?;
            found = self.find_key(WITHOUT_OWNER, key)?;
            found = found.filter(|found| first_key.is_none_or(|at| found.created_at <= at));
        }
        let Some(found) = found else { return Ok(None) };
        if found.first_job_id < 0 {
            return self.find_empty_batch(key, &found);
        }
        let (first, end) = (found.first_job_id, found.first_job_id + found.jobs);
        let has_jobs: bool = diesel::select(diesel::dsl::exists(
            jobs::table.filter(jobs::id.ge(first)).filter(jobs::id.lt(end)),
        ))
        .get_result(self.connection)?;
        if !has_jobs {
            return Ok(None);
        }
        let expected = if found.by_value == 0 { key.byte_fingerprint } else { key.fingerprint };
        if found.fingerprint != expected {
            return Err(Refusal::KeyReused(JobId(first)).into());
        }
        let batch = match found.batch_id {
            Some(id) => batch::find(self.connection, BatchId(id))?.map(Box::new),
            None => None,
        };
        Ok(Some(Submitted {
            first: JobId(first),
            count: usize::try_from(found.jobs).unwrap_or(0),
            batch,
            at: Timestamp::from_millis(found.created_at),
            is_repeat: true,
        }))
    }

    /// Returns the earlier submission of a batch without jobs, if the batch still exists.
    fn find_empty_batch(
        &mut self,
        key: &SubmissionKey,
        found: &SubmissionRow,
    ) -> Result<Option<Submitted>, ApplyError> {
        let id = BatchId(-found.first_job_id);
        let Some(batch) = batch::find(self.connection, id)? else { return Ok(None) };
        if found.fingerprint != key.fingerprint {
            return Err(Refusal::KeyReusedByBatch(id).into());
        }
        let at = Timestamp::from_millis(found.created_at);
        let batch = Some(Box::new(batch));
        Ok(Some(Submitted { first: JobId(0), count: 0, batch, at, is_repeat: true }))
    }

    fn find_key(
        &mut self,
        owner: i64,
        key: &SubmissionKey,
    ) -> Result<Option<SubmissionRow>, ApplyError> {
        let found = submissions::table
            .find((owner, key.key.as_str()))
            .select(SubmissionRow::as_select())
            .get_result(self.connection);
        Ok(found.optional()?)
    }

    fn insert_key(
        &mut self,
        key: &SubmissionKey,
        first: JobId,
        jobs: usize,
        batch: Option<BatchId>,
    ) -> Result<(), ApplyError> {
        // Instead of jobs the key of a batch without jobs has the negative id of the batch.
        let (first, jobs) = match batch {
            Some(batch) if jobs == 0 => (-batch.0, 1),
            _ => (first.0, jobs),
        };
        InsertKey {
            owner: owner_code(key),
            key: key.key.as_str(),
            fingerprint: &key.fingerprint,
            first,
            jobs: i64::try_from(jobs).unwrap_or(i64::MAX),
            batch_id: batch.map(|batch| batch.0),
            created_at: self.now.millis(),
        }
        .execute(self.connection)?;
        Ok(())
    }
}
