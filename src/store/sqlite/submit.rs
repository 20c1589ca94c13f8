//! Submitting: new jobs, all or none.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::group::{Applied, Group, Place, Stop};
use super::statement::statement;
use crate::job::{BatchId, JobId, NewJob, State};
use crate::store::schema::{jobs, submissions};
use crate::store::sql_types::{Binary, Float, Integer, Nullable, Text};
use crate::store::{Answer, IdempotencyKey, Refusal, Submit, Submitted};

statement! {
    /// Without RETURNING, for which SQLite makes a table in memory each time.
    InsertJob<'a> =
    "INSERT INTO jobs (state, lane, queue_id, priority, max_attempts, created_at, run_at,
         expires_at, at_most_once, timeout_ms, backoff_initial_ms, backoff_factor,
         backoff_max_ms, backoff_jitter, batch_id, tags, kind, payload)
     VALUES (" [state: Integer as i64] ", " [lane: Integer as i64]
    ", " [queue_id: Integer as i64] ", " [priority: Integer as i64]
    ", " [max_attempts: Integer as i64] ", " [created_at: Integer as i64]
    ", " [run_at: Integer as i64] ", " [expires_at: Nullable<Integer> as Option<i64>]
    ", " [at_most_once: Integer as i64] ", " [timeout_ms: Integer as i64]
    ", " [backoff_initial_ms: Integer as i64] ", " [backoff_factor: Float as f64]
    ", " [backoff_max_ms: Integer as i64] ", " [backoff_jitter: Float as f64]
    ", " [batch_id: Nullable<Integer> as Option<i64>]
    ", " [tags: Nullable<Text> as Option<&'a str>]
    ", " [kind: Text as &'a str] ", " [payload: Text as &'a str] ")"
}

statement! {
    LastInsertId -> Integer = "SELECT last_insert_rowid()"
}

statement! {
    InsertTag<'a> =
    "INSERT INTO job_tags (tag, job_id)
     VALUES (" [tag: Text as &'a str] ", " [job_id: Integer as i64] ")"
}

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
        self.check_room_for_queues(&submit.jobs)?;
        let batch = match &submit.batch {
            Some(batch) => Some(self.insert_batch(batch, &submit.jobs)?),
            None => None,
        };
        let batch_id = batch.as_ref().map(|batch| batch.id);
        let mut first = None;
        for job in submit.jobs.iter() {
            let id = self.insert_job(job, batch_id)?;
            first = first.or(Some(id));
        }
        let first = first.ok_or(Refusal::Rejected("a submission without jobs".into()))?;
        if let Some(key) = &submit.key {
            self.insert_key(key, first, submit.jobs.len(), batch_id)?;
        }
        let count = submit.jobs.len();
        let at = self.now;
        Ok(Answer::Submitted(Submitted { first, count, batch, at, is_repeat: false }))
    }

    fn check_room_for_queues(&self, jobs: &[NewJob]) -> Result<(), Refusal> {
        let names = jobs.iter().map(|job| &job.queue);
        let new: BTreeSet<_> = names.filter(|name| self.queue_ids.id(name).is_none()).collect();
        let most = self.rules.max_queues;
        if !new.is_empty() && self.queue_ids.len() + new.len() > most {
            return Err(Refusal::TooManyQueues(most));
        }
        Ok(())
    }

    fn insert_job(&mut self, job: &NewJob, batch: Option<BatchId>) -> Result<JobId, Stop> {
        let queue_id = self.queue_id(&job.queue)?;
        let tags = tags_text(&job.tags);
        let state = job.state();
        InsertJob {
            state: state.code(),
            lane: job.lane.code(),
            queue_id,
            priority: job.priority.into(),
            max_attempts: job.max_attempts.into(),
            created_at: self.now.millis(),
            run_at: job.due_at(self.now).millis(),
            expires_at: job.expires_at.map(|at| at.millis()),
            at_most_once: job.at_most_once.into(),
            timeout_ms: job.timeout.millis(),
            backoff_initial_ms: job.backoff.initial.millis(),
            backoff_factor: job.backoff.factor,
            backoff_max_ms: job.backoff.max.millis(),
            backoff_jitter: job.backoff.jitter,
            batch_id: batch.map(|batch| batch.0),
            tags: tags.as_deref(),
            kind: &job.kind,
            payload: job.payload.as_str(),
        }
        .execute(self.connection)?;
        let id: i64 = LastInsertId {}.get_result(self.connection)?;
        for tag in &job.tags {
            InsertTag { tag, job_id: id }.execute(self.connection)?;
        }
        let place = Place { job: JobId(id), queue: job.queue.clone(), lane: job.lane, batch };
        match state {
            State::Scheduled => self.moved_until(place, None, state, job.run_at),
            _ => self.moved(place, None, Some(state)),
        }
        Ok(JobId(id))
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

/// Tags as their column holds them: a JSON array, or nothing where there are none.
fn tags_text(tags: &[String]) -> Option<String> {
    if tags.is_empty() { None } else { serde_json::to_string(tags).ok() }
}
