//! The life of batches that are open or have no jobs: more jobs are added, they are closed, and removed.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::job::queue::StateCounts;
use crate::job::{BatchId, QueueName, Span, Timestamp};
use crate::store::schema::batches;
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::batch;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;
use crate::store::{Answer, MoveSummary, Refusal, Submit, Submitted};

/// Maximum number of ends of jobs that are removed at once, with the last job of their batch.
const MAX_ENDS: usize = 10_000;

statement! {
    /// Counts new jobs of an open batch, and keeps it open.
    AddToOpenBatch =
    "UPDATE batches SET total = total + " [total: Integer as i64]
    ", scheduled = scheduled + " [scheduled: Integer as i64] ", queued = queued + " [queued: Integer as i64]
    ", open_until = max(open_until, " [open_until: Integer as i64] ") WHERE id = " [batch: Integer as i64]
}

statement! {
    /// Closes an open batch. Its counts are those of the last group, and are updated at the end of this one.
    CloseOpenBatch =
    "UPDATE batches SET open_until = NULL, finished_at = CASE
         WHEN scheduled + queued + running + retrying = 0 THEN " [now: Integer as i64]
    " END WHERE id = " [batch: Integer as i64] " AND open_until IS NOT NULL"
}

statement! {
    DueBatches -> Integer =
    "SELECT id FROM batches WHERE open_until <= " [now: Integer as i64]
    " ORDER BY open_until, id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Finds an ended batch without jobs.
    FindEmptyBatch -> Integer =
    "SELECT id FROM batches
     WHERE id = " [batch: Integer as i64] " AND finished_at < " [finished_before: Integer as i64] "
         AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch_id = batches.id)"
}

statement! {
    /// Removes the first ends of a batch, whose numbers are consecutive.
    DeleteFirstEnds =
    "DELETE FROM batch_ends
     WHERE batch_id = " [batch: Integer as i64] " AND seq < " [limit: Integer as i64]
    " + (SELECT min(seq) FROM batch_ends WHERE batch_id = " [same_batch: Integer as i64] ")"
}

statement! {
    DeleteBatch =
    "DELETE FROM batches WHERE id = " [batch: Integer as i64]
}

statement! {
    /// Removes the idempotency key of a batch that was submitted without jobs.
    DeleteKeyOfBatch =
    "DELETE FROM submissions WHERE first_job_id = " [first: Integer as i64]
}

impl CommitGroup<'_> {
    pub(crate) fn add_jobs(
        &mut self,
        id: BatchId,
        submit: &Submit,
        open_for: Span,
    ) -> ApplyResult {
        if let Some(key) = &submit.key
            && let Some(earlier) = self.find_submission(key)?
        {
            return Ok(Answer::Submitted(earlier));
        }
        if submit.jobs.is_empty() {
            return Err(Refusal::Rejected("jobs to add to a batch without jobs".into()).into());
        }
        if !self.batch_exists(id)? {
            return Err(Refusal::NoBatch(id).into());
        }
        let open_until: Option<i64> =
            batches::table.find(id.0).select(batches::open_until).get_result(self.connection)?;
        if open_until.is_none() {
            return Err(Refusal::BatchClosed(id).into());
        }
        // Before anything is inserted, because a refused write must change nothing.
        self.check_unfinished(&submit.jobs)?;
        self.create_queues(&submit.jobs, None)?;
        let mut counts = StateCounts::default();
        for job in &*submit.jobs {
            *counts.get_mut(job.state()) += 1;
        }
        AddToOpenBatch {
            total: counts.live(),
            scheduled: counts.scheduled,
            queued: counts.queued,
            open_until: self.now.plus(open_for.duration()).millis(),
            batch: id.0,
        }
        .execute(self.connection)?;
        let queues: BTreeSet<&QueueName> = submit.jobs.iter().map(|job| &job.queue).collect();
        for queue in queues {
            let queue_id = self.queue_id(queue)?;
            self.add_batch_queue(id, queue_id)?;
        }
        let first = self.insert_submitted(submit, Some(id))?;
        let batch = batch::find(self.connection, id)?.map(Box::new);
        let (count, at) = (submit.jobs.len(), self.now);
        Ok(Answer::Submitted(Submitted { first, count, batch, at, is_repeat: false }))
    }

    pub(crate) fn close_batch(&mut self, batch: BatchId) -> ApplyResult {
        if !self.batch_exists(batch)? {
            return Err(Refusal::NoBatch(batch).into());
        }
        self.close_if_open(batch)?;
        Ok(Answer::Done)
    }

    pub(crate) fn close_batches(&mut self, limit: u32) -> ApplyResult {
        let due = DueBatches { now: self.now.millis(), limit: limit.into() };
        let due: Vec<i64> = due.load(self.connection)?;
        for batch in &due {
            self.close_if_open(BatchId(*batch))?;
        }
        Ok(Answer::Moved(MoveSummary { count: due.len(), next_at: None }))
    }

    fn close_if_open(&mut self, batch: BatchId) -> Result<(), TransactionError> {
        let close = CloseOpenBatch { now: self.now.millis(), batch: batch.0 };
        if close.execute(self.connection)? > 0 {
            self.changes.push_closed(batch);
        }
        Ok(())
    }

    pub(crate) fn prune_batches(
        &mut self,
        batches: &[BatchId],
        finished_before: Timestamp,
    ) -> ApplyResult {
        let mut removed = 0;
        for batch in batches {
            removed += usize::from(self.remove_empty_batch(*batch, finished_before.millis())?);
        }
        Ok(Answer::Removed(removed))
    }

    /// Removes a batch that ended before a time, if it has no jobs. Returns whether it did: of a very large batch,
    /// only some of the ends of its jobs are removed, and the rest when old batches are.
    pub(in crate::store::sqlite::write) fn remove_empty_batch(
        &mut self,
        batch: BatchId,
        finished_before: i64,
    ) -> Result<bool, TransactionError> {
        let find = FindEmptyBatch { batch: batch.0, finished_before };
        let found: Option<i64> = find.get_result(self.connection).optional()?;
        if found.is_none() {
            return Ok(false);
        }
        let limit = MAX_ENDS as i64;
        let delete = DeleteFirstEnds { batch: batch.0, limit, same_batch: batch.0 };
        if delete.execute(self.connection)? == MAX_ENDS {
            return Ok(false);
        }
        DeleteBatch { batch: batch.0 }.execute(self.connection)?;
        DeleteKeyOfBatch { first: -batch.0 }.execute(self.connection)?;
        Ok(true)
    }
}
