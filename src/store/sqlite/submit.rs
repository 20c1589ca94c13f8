//! Submitting: new jobs, all or none.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::group::{Applied, Group, Stop, Taken, taken};
use super::statement::statement;
use super::transaction::Failure;
use crate::job::{BatchId, JobId, NewJob};
use crate::store::schema::{jobs, submissions};
use crate::store::sql_types::{Binary, Integer, Nullable, Text};
use crate::store::{Answer, IdempotencyKey, Refusal, Submit, Submitted};

statement! {
    /// A key whose jobs are gone may be used anew.
    InsertKey<'a> =
    "INSERT OR REPLACE INTO submissions
         (idempotency_key, fingerprint, first_job_id, jobs, batch_id, created_at)
     VALUES (" [key: Text as &'a str] ", " [fingerprint: Binary as &'a [u8]]
    ", " [first: Integer as i64] ", " [jobs: Integer as i64]
    ", " [batch_id: Nullable<Integer> as Option<i64>] ", " [created_at: Integer as i64] ")"
}

/// What is kept of a submission with a key.
type SubmissionRow = (Vec<u8>, i64, i64, Option<i64>, i64);

impl Group<'_> {
    pub(super) fn submit(&mut self, submit: &Submit) -> Applied {
        if let Some(key) = &submit.key
            && let Some(earlier) = self.find_submission(key)?
        {
            return Ok(Answer::Submitted(earlier));
        }
        // First, for a refusal must leave nothing behind.
        self.make_queues(&submit.jobs)?;
        let batch = match &submit.batch {
            Some(batch) => Some(self.insert_batch(batch, &submit.jobs)?),
            None => None,
        };
        let batch_id = batch.as_ref().map(|batch| batch.id);
        let first = self.insert_jobs(submit.jobs.iter(), batch_id)?;
        let first = first.ok_or(Refusal::Rejected("a submission without jobs".into()))?;
        if let Some(key) = &submit.key {
            self.insert_key(key, first, submit.jobs.len(), batch_id)?;
        }
        let count = submit.jobs.len();
        let at = self.now;
        Ok(Answer::Submitted(Submitted { first, count, batch, at, is_repeat: false }))
    }

    /// Submissions without keys and batches: their jobs go into the table together. One answer each.
    pub(super) fn submit_together(&mut self, submits: &[&Submit]) -> Result<Vec<Taken>, Failure> {
        let mut refusals: Vec<Option<Refusal>> = Vec::with_capacity(submits.len());
        for submit in submits {
            refusals.push(taken(self.make_queues(&submit.jobs))?.err());
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

    /// Makes those queues of jobs that are new, all or none.
    fn make_queues(&mut self, jobs: &[NewJob]) -> Result<(), Stop> {
        let names = jobs.iter().map(|job| &job.queue);
        let new: BTreeSet<_> = names.filter(|name| self.queue_ids.id(name).is_none()).collect();
        let most = self.rules.max_queues;
        if !new.is_empty() && self.queue_ids.len() + new.len() > most {
            return Err(Refusal::TooManyQueues(most).into());
        }
        for name in new {
            self.queue_id(name)?;
        }
        Ok(())
    }

    /// The submission that used this key before, if any of its jobs is still there.
    fn find_submission(&mut self, key: &IdempotencyKey) -> Result<Option<Submitted>, Stop> {
        let found: Option<SubmissionRow> = submissions::table
            .find(&key.key)
            .select((
                submissions::fingerprint,
                submissions::first_job_id,
                submissions::jobs,
                submissions::batch_id,
                submissions::created_at,
            ))
            .get_result(self.connection)
            .optional()?;
        let Some((fingerprint, first, count, batch_id, created_at)) = found else {
            return Ok(None);
        };
        let still_there: bool = diesel::select(diesel::dsl::exists(
            jobs::table.filter(jobs::id.ge(first)).filter(jobs::id.lt(first + count)),
        ))
        .get_result(self.connection)?;
        if !still_there {
            return Ok(None);
        }
        if fingerprint != key.fingerprint {
            return Err(Refusal::KeyReused.into());
        }
        let batch = match batch_id {
            Some(id) => super::batch::find(self.connection, BatchId(id))?,
            None => None,
        };
        Ok(Some(Submitted {
            first: JobId(first),
            count: usize::try_from(count).unwrap_or(0),
            batch,
            at: crate::job::Timestamp::from_millis(created_at),
            is_repeat: true,
        }))
    }

    fn insert_key(
        &mut self,
        key: &IdempotencyKey,
        first: JobId,
        jobs: usize,
        batch: Option<BatchId>,
    ) -> Result<(), Stop> {
        InsertKey {
            key: &key.key,
            fingerprint: &key.fingerprint,
            first: first.0,
            jobs: i64::try_from(jobs).unwrap_or(i64::MAX),
            batch_id: batch.map(|batch| batch.0),
            created_at: self.now.millis(),
        }
        .execute(self.connection)?;
        Ok(())
    }
}
