//! What happens when jobs and batches end: deliveries of webhooks and follow-up jobs are inserted.
//!
//! This runs once at the end of each commit group, for all jobs and batches that the group has ended, by
//! whatever write: a finish, a cancellation, an expiry, a rescue. For example, the last job of a batch
//! completes. Its own webhook is inserted first; then the counts of the batch are updated, which shows
//! that the batch has ended; then the webhook and the follow-up job of the batch are inserted.

mod follow_up;
mod owner;

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde::Serialize;

use crate::job::submission::on_end::{OnEnd, Owner};
use crate::job::submission::on_end::callback::{Callback, CallbackEvent};
use crate::config::receiver_group;
use crate::job::{BatchId, JobId, Json, NewJob, State, Timestamp};
use crate::store::rows::end_actions::EndActionsRow;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::{Fault, TransactionError};
use crate::store::sqlite::write::batch;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;

pub(crate) use follow_up::BAD_REFERENCE;

statement! {
    /// Returns whether any job or batch has actions, so that groups need to look for them.
    HasEndActions -> Integer =
    "SELECT EXISTS (SELECT 1 FROM end_actions) OR EXISTS (SELECT 1 FROM batch_end_actions)"
}

statement! {
    /// Finds the actions of jobs that ended. The CROSS JOIN keeps the order of the tables: one look-up for
    /// each of these jobs, however many rows `end_actions` has.
    FindOfJobs<'a> -> (Integer, Nullable<Text>, Nullable<Text>, Nullable<Integer>) =
    "SELECT job_id, callback, then_job, then_id FROM json_each(" [jobs: Text as &'a str] ") AS ended
     CROSS JOIN end_actions ON job_id = ended.value"
}

statement! {
    FindOfBatch -> (Integer, Nullable<Text>, Nullable<Text>, Nullable<Integer>) =
    "SELECT batch_id, callback, then_job, then_id FROM batch_end_actions
     WHERE batch_id = " [batch: Integer as i64]
}

/// Returns whether any job or batch has actions.
pub(crate) fn may_have_end_actions(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let exists: i64 = HasEndActions {}.get_result(connection)?;
    Ok(exists != 0)
}

/// Body of a webhook.
#[derive(Serialize)]
struct Body<'a, T> {
    #[serde(rename = "type")]
    event: CallbackEvent,
    timestamp: Timestamp,
    data: &'a T,
}

impl CommitGroup<'_> {
    /// Stores what happens when a job or batch ends. The queues of the jobs that it inserts must exist.
    pub(in crate::store::sqlite::write) fn insert_end_actions(
        &mut self,
        owner: Owner,
        on_end: &OnEnd,
    ) -> Result<(), TransactionError> {
        *self.may_have_end_actions = true;
        owner.insert(on_end, self.connection)?;
        Ok(())
    }

    /// Inserts the deliveries and follow-up jobs of the jobs that ended in this group, with the change
    /// number `start` or a later one.
    pub(crate) fn run_end_actions_of_jobs(
        &mut self,
        mut start: usize,
    ) -> Result<(), TransactionError> {
        // A follow-up job whose references cannot be filled in ends at once, and may have a webhook.
        while *self.may_have_end_actions && start < self.changes.len() {
            let ended = self.changes.ended_from(start);
            start = self.changes.len();
            if ended.is_empty() {
                return Ok(());
            }
            if self.is_alone {
                for job in ended {
                    self.isolate(Owner::Job(job), |group| group.run_end_actions(&[job].into()))?;
                }
            } else {
                self.run_end_actions(&ended)?;
            }
        }
        Ok(())
    }

    /// Inserts the deliveries and the follow-up job of a job that ended in this group and is about to be queued
    /// again or removed, because they would not be found at the end of the group.
    pub(in crate::store::sqlite::write) fn run_end_actions_before_change(
        &mut self,
        job: JobId,
    ) -> Result<(), TransactionError> {
        if *self.may_have_end_actions && self.changes.last_of(job).is_some_and(|change| change.is_end()) {
            self.run_end_actions(&[job].into())?;
        }
        Ok(())
    }

    fn run_end_actions(&mut self, ended: &BTreeSet<JobId>) -> Result<(), TransactionError> {
        let jobs = serde_json::to_string(ended).unwrap_or_default();
        let rows: Vec<EndActionsRow> = FindOfJobs { jobs: &jobs }.load(self.connection)?;
        for row in rows {
            self.run_end_actions_of_job(&row)?;
        }
        Ok(())
    }

    /// Runs the end actions of one job or batch. In a group that is applied again because of a fault, they run
    /// after a savepoint: if the fault is in them, they are undone and noted, and the end itself is committed.
    fn isolate(
        &mut self,
        owner: Owner,
        work: impl FnOnce(&mut Self) -> Result<(), TransactionError>,
    ) -> Result<(), TransactionError> {
        if !self.is_alone {
            return work(self);
        }
        match self.after_savepoint(|group| Ok(work(group)?)) {
            Ok(Err(Fault::Constraint(why) | Fault::Impossible(why))) => {
                self.impossible.note(&format!("the jobs at the end of {owner}: {why}"));
                Ok(())
            }
            Ok(Ok(())) | Err(ApplyError::Refused(_)) => Ok(()),
            Err(ApplyError::Failed(error)) => Err(error),
        }
    }

    fn run_end_actions_of_job(&mut self, row: &EndActionsRow) -> Result<(), TransactionError> {
        let id = JobId(row.owner);
        let Some((mut job, event)) = self.find_ended(id)? else { return Ok(()) };
        let owner = Owner::Job(id);
        if let Some(callback) = row.callback(self.impossible)
            && callback.sends(event)
        {
            if callback.include_result {
                job.result = Some(self.result_of(id)?);
            }
            self.insert_delivery(owner, &callback, event, &job)?;
        }
        if job.state == State::Completed
            && let Some(follow_up) = row.follow_up(self.impossible)
        {
            self.insert_follow_up(owner, &follow_up)?;
        }
        Ok(())
    }

    /// Inserts the deliveries and follow-up jobs of batches that ended in this group.
    pub(crate) fn run_end_actions_of_batches(
        &mut self,
        ended: &[BatchId],
    ) -> Result<(), TransactionError> {
        if !*self.may_have_end_actions {
            return Ok(());
        }
        for id in ended.iter().copied() {
            self.isolate(Owner::Batch(id), |group| group.run_end_actions_of_batch(id))?;
        }
        Ok(())
    }

    fn run_end_actions_of_batch(&mut self, id: BatchId) -> Result<(), TransactionError> {
        let row: Option<EndActionsRow> =
            FindOfBatch { batch: id.0 }.get_result(self.connection).optional()?;
        let Some(row) = row else { return Ok(()) };
        let Some(found) = batch::find(self.connection, id)? else { return Ok(()) };
        let (owner, event) = (Owner::Batch(id), CallbackEvent::BatchFinished);
        if let Some(callback) = row.callback(self.impossible)
            && callback.sends(event)
        {
            self.insert_delivery(owner, &callback, event, &found)?;
        }
        if found.counts.completed == found.total
            && let Some(follow_up) = row.follow_up(self.impossible)
        {
            self.insert_follow_up(owner, &follow_up)?;
        }
        Ok(())
    }

    /// Inserts the job that delivers a webhook.
    fn insert_delivery<T: Serialize>(
        &mut self,
        owner: Owner,
        callback: &Callback,
        event: CallbackEvent,
        data: &T,
    ) -> Result<(), TransactionError> {
        let body = Json::of(&Body { event, timestamp: self.now, data });
        let delivery = body.and_then(|body| callback.delivery(body, receiver_group(&callback.url), self.now));
        let Ok(delivery) = delivery else {
            self.impossible.note(&format!("the webhook of {owner} cannot be written as JSON"));
            return Ok(());
        };
        if let Some(id) = self.insert_at_end(&delivery)? {
            owner.insert_delivery(id, self.connection)?;
        }
        Ok(())
    }

    /// Inserts a job that an end caused.
    fn insert_at_end(&mut self, job: &NewJob) -> Result<Option<JobId>, TransactionError> {
        // The submission has created it, if the queues of the database allow it.
        self.create_queue(&job.queue)?;
        self.insert_jobs(std::iter::once(job), None)
    }
}
