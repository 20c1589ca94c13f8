//! Counts of queues and batches, updated in the same transactions as their jobs.

use diesel::prelude::*;

use crate::job::queue::StateCounts;
use crate::job::{BatchId, NewJob, State};
use crate::store::rows::values::count_of;
use crate::store::sql_types::{Bool, Integer};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::Refusal;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;

statement! {
    AddToQueueCount =
    "UPDATE queue_counts SET jobs = jobs + " [delta: Integer as i64]
    ", entered = entered + " [entered: Integer as i64]
    " WHERE queue_id = " [queue_id: Integer as i64] " AND state = " [state: Integer as i64]
}

statement! {
    /// Adds deltas to the counts of a batch. A closed batch ends when no job is live, and goes on when one of its
    /// jobs is retried.
    AddToBatch -> Bool =
    "UPDATE batches SET scheduled = scheduled + " [scheduled: Integer as i64]
    ", queued = queued + " [queued: Integer as i64]
    ", running = running + " [running: Integer as i64]
    ", retrying = retrying + " [retrying: Integer as i64]
    ", completed = completed + " [completed: Integer as i64]
    ", failed = failed + " [failed: Integer as i64]
    ", cancelled = cancelled + " [cancelled: Integer as i64]
    ", finished_at = CASE
         WHEN scheduled + queued + running + retrying + " [live: Integer as i64] " = 0 AND open_until IS NULL
         THEN coalesce(finished_at, " [now: Integer as i64]
    ") END
       WHERE id = " [id: Integer as i64] " RETURNING finished_at IS NOT NULL"
}

statement! {
    AddToKey =
    "UPDATE api_keys SET unfinished = unfinished + " [delta: Integer as i64]
    " WHERE id = " [key: Integer as i64]
}

statement! {
    FindUnfinished -> Integer =
    "SELECT unfinished FROM api_keys WHERE id = " [key: Integer as i64]
}

impl CommitGroup<'_> {
    /// Adds up the changes by queue and state, and updates the counts of the queues.
    pub(crate) fn update_queue_counts(&mut self) -> Result<(), TransactionError> {
        for (queue, deltas) in self.changes.queue_deltas() {
            let Some(queue_id) = self.queue_ids.id(queue) else { continue };
            for state in State::ALL {
                let (delta, entered) = (deltas.jobs.get(state), deltas.entered.get(state));
                if delta == 0 && entered == 0 {
                    continue;
                }
                let add = AddToQueueCount { delta, entered, queue_id, state: state.code() };
                match add.execute(self.connection).map_err(TransactionError::from) {
                    Ok(_) => {}
                    // The count was wrong before. It stays as it is, and the jobs are moved.
                    Err(TransactionError::Constraint(error)) => {
                        self.impossible
                            .note(&format!("the {state} jobs of queue {queue}: {error}"));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Adds up the changes by API key, and updates the numbers of unfinished jobs.
    pub(crate) fn update_key_counts(&mut self) -> Result<(), TransactionError> {
        for (key, delta) in self.changes.key_deltas() {
            let add = AddToKey { delta, key: key.0 };
            match add.execute(self.connection).map_err(TransactionError::from) {
                Ok(_) => {}
                // The count was wrong before.
                Err(TransactionError::Constraint(error)) => {
                    self.impossible.note(&format!("the unfinished jobs of key {key}: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Refuses new jobs of an API key that would have too many unfinished ones.
    pub(crate) fn check_unfinished(&mut self, jobs: &[NewJob]) -> Result<(), ApplyError> {
        let (Some(max), Some(key)) = (self.max_unfinished, jobs.first().and_then(|job| job.key))
        else {
            return Ok(());
        };
        let find = FindUnfinished { key: key.0 };
        let before: Option<i64> = find.get_result(self.connection).optional()?;
        let before = self.changes.unfinished_of_key(key, before.map_or(0, count_of));
        let new = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
        if before.saturating_add(new) > max {
            return Err(Refusal::TooManyUnfinished(max).into());
        }
        Ok(())
    }

    /// Adds up the changes by batch, updates the counts, and returns the batches that ended.
    pub(crate) fn update_batch_counts(&mut self) -> Result<Vec<BatchId>, TransactionError> {
        let mut ended = Vec::new();
        for (batch, deltas) in self.changes.batch_deltas() {
            let has_ended = self.add_to_batch(batch, &deltas)?;
            if has_ended && (deltas.live() < 0 || self.changes.has_closed(batch)) {
                ended.push(batch);
            }
        }
        Ok(ended)
    }

    /// Removes the batches whose last job was removed. Must be called after
    /// [`Self::update_batch_counts`], which records that a batch has ended.
    pub(crate) fn remove_empty_batches(&mut self) -> Result<(), TransactionError> {
        for batch in self.changes.batches_of_removed_jobs() {
            self.remove_empty_batch(batch, i64::MAX)?;
        }
        Ok(())
    }

    fn add_to_batch(
        &mut self,
        batch: BatchId,
        deltas: &StateCounts,
    ) -> Result<bool, TransactionError> {
        let update = AddToBatch {
            scheduled: deltas.scheduled,
            queued: deltas.queued,
            running: deltas.running,
            retrying: deltas.retrying,
            completed: deltas.completed,
            failed: deltas.failed,
            cancelled: deltas.cancelled,
            live: deltas.live(),
            now: self.now.millis(),
            id: batch.0,
        };
        match update.get_result(self.connection).optional().map_err(TransactionError::from) {
            Ok(Some(has_ended)) => Ok(has_ended),
            Ok(None) => {
                self.impossible.note(&format!("batch {batch} has jobs and does not exist"));
                Ok(false)
            }
            // The counts were wrong before. They stay as they are, and the jobs are moved.
            Err(TransactionError::Constraint(error)) => {
                self.impossible.note(&format!("the counts of batch {batch}: {error}"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
