//! The commit group: the writes of one transaction, and the state that they share.
//!
//! Writes that arrive while a transaction runs are committed together in the next one (group commit),
//! so that many writes share one sync to disk.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;

use crate::job::queue::{QueueName, QueueRules, QueueSettings};
use crate::job::{BatchId, JobId, Lane, Span, State, Timestamp};
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::leases::remote::RemoteFilter;
use crate::store::sqlite::write::queue::QueueIds;
use crate::store::{
    Answer, Change, Committed, JobLocation, Refusal, StoreError, Submit, Write, lane_of,
};

statement! {
    FindKind -> Text = "SELECT kind FROM jobs WHERE id = " [job: Integer as i64]
}

/// Error of applying one write.
pub(crate) enum ApplyError {
    /// The rules refuse the write. It has changed nothing, because operations check before they write.
    Refused(Refusal),
    /// The database failed.
    Failed(TransactionError),
}

impl From<Refusal> for ApplyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for ApplyError {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<TransactionError> for ApplyError {
    fn from(error: TransactionError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for ApplyError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Result of applying one write.
pub(crate) type ApplyResult = Result<Answer, ApplyError>;

/// Answer to one write, or its refusal.
pub(crate) type WriteResult = Result<Answer, Refusal>;

/// Separates a refusal, which concerns one write, from a database error, which ends the transaction.
pub(crate) fn split_refusal<T>(
    applied: Result<T, ApplyError>,
) -> Result<Result<T, Refusal>, TransactionError> {
    match applied {
        Ok(answer) => Ok(Ok(answer)),
        Err(ApplyError::Refused(refusal)) => Ok(Err(refusal)),
        Err(ApplyError::Failed(error)) => Err(error),
    }
}

/// Writes of one open transaction.
pub(crate) struct CommitGroup<'a> {
    pub(crate) connection: &'a mut SqliteConnection,
    pub(crate) rules: &'a QueueRules,
    pub(crate) queue_ids: &'a mut QueueIds,
    /// Smallest lease token of this epoch.
    pub(crate) token_floor: i64,
    pub(crate) now: Timestamp,
    /// Filters of remote workers for which no job is left; cleared when a job is queued.
    pub(crate) exhausted: Vec<RemoteFilter>,
    /// Number of payload bytes leased to remote workers in this transaction.
    pub(crate) leased_payload_bytes: usize,
    /// Whether a lease of this group has already cancelled expired jobs; reset when a job is queued.
    pub(crate) is_expiry_done: bool,
    changes: Vec<Change>,
    reported: Vec<(JobId, QueueName)>,
    configured: Vec<(QueueName, QueueSettings)>,
}

/// Columns of a [`JobLocation`]: id, queue, lane and batch of a job.
pub(crate) type LocationRow = (i64, i64, i64, Option<i64>);

impl<'a> CommitGroup<'a> {
    pub(crate) fn new(
        connection: &'a mut SqliteConnection,
        rules: &'a QueueRules,
        queue_ids: &'a mut QueueIds,
        token_floor: i64,
        now: Timestamp,
    ) -> Self {
        Self {
            connection,
            rules,
            queue_ids,
            token_floor,
            now,
            exhausted: Vec::new(),
            leased_payload_bytes: 0,
            is_expiry_done: false,
            changes: Vec::new(),
            reported: Vec::new(),
            configured: Vec::new(),
        }
    }

    /// Applies writes in order. Consecutive plain submissions are inserted together.
    pub(crate) fn apply_all(
        &mut self,
        writes: &[&Write],
    ) -> Result<Vec<WriteResult>, TransactionError> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut remaining = writes;
        while let [first, others @ ..] = remaining {
            let plain: Vec<&Submit> =
                remaining.iter().map_while(|write| write.plain_submit()).collect();
            if plain.is_empty() {
                answers.push(split_refusal(self.apply(first))?);
                remaining = others;
            } else {
                answers.extend(self.submit_together(&plain)?);
                remaining = &remaining[plain.len()..];
            }
        }
        Ok(answers)
    }

    /// Applies writes in order, each after a savepoint of its own.
    pub(crate) fn apply_each_alone(
        &mut self,
        writes: &[&Write],
    ) -> Result<Vec<WriteResult>, TransactionError> {
        writes.iter().map(|write| split_refusal(self.apply_alone(write))).collect()
    }

    /// Applies one write. After [`ApplyError::Failed`] the caller must roll back.
    pub(crate) fn apply(&mut self, write: &Write) -> ApplyResult {
        match write {
            Write::Submit(submit) => self.submit(submit),
            Write::Lease(request) => self.lease(request),
            Write::Finish(finish) => self.finish(finish),
            Write::Renew(renew) => self.renew(renew),
            Write::Report(lease, progress) => self.report(*lease, progress),
            Write::Log(lines) => self.log(lines),
            Write::Cancel(job) => self.cancel(*job),
            Write::CancelBatch(batch) => self.cancel_batch(*batch),
            Write::Retry(job) => self.retry(*job),
            Write::Delete(job) => self.delete(*job),
            Write::Stage { limit } => self.stage(*limit),
            Write::Expire { limit } => self.expire(*limit),
            Write::Rescue { scope, limit } => self.rescue(*scope, *limit),
            Write::Prune { jobs, finished_before } => self.prune(jobs, *finished_before),
            Write::Each(writes) => self.each(writes, Self::apply),
            Write::TimeBuckets(buckets) => self.store_time_buckets(buckets),
            Write::Configure { queue, change } => self.configure(queue, change),
        }
    }

    fn each(
        &mut self,
        writes: &[Write],
        apply: fn(&mut Self, &Write) -> ApplyResult,
    ) -> ApplyResult {
        let results: Result<_, TransactionError> =
            writes.iter().map(|write| split_refusal(apply(self, write))).collect();
        Ok(Answer::Each(results?))
    }

    /// Applies one write after a savepoint. If a constraint refuses the write, it is undone and the
    /// result is [`Refusal::Rejected`].
    pub(crate) fn apply_alone(&mut self, write: &Write) -> ApplyResult {
        if let Write::Each(writes) = write {
            return self.each(writes, Self::apply_alone);
        }
        let changes = self.changes.len();
        let (reported, configured) = (self.reported.len(), self.configured.len());
        self.connection.batch_execute("SAVEPOINT one_write")?;
        let applied = self.apply(write);
        if let Err(ApplyError::Failed(TransactionError::Constraint(error))) = &applied {
            let refusal = Refusal::Rejected(error.to_string());
            self.connection.batch_execute("ROLLBACK TO one_write; RELEASE one_write")?;
            self.changes.truncate(changes);
            self.reported.truncate(reported);
            for (queue, _) in self.configured.drain(configured..) {
                self.queue_ids.remove(&queue);
            }
            return Err(refusal.into());
        }
        if let Err(ApplyError::Failed(_)) = applied {
            // The caller rolls back the whole transaction, or SQLite has already done so.
            return applied;
        }
        self.connection.batch_execute("RELEASE one_write")?;
        applied
    }

    /// Updates the counts and returns the result of the group. The caller then commits.
    pub(crate) fn close(
        mut self,
        answers: Vec<Result<Answer, Refusal>>,
    ) -> Result<Committed, TransactionError> {
        self.update_queue_counts()?;
        let ended_batches = self.update_batch_counts()?;
        self.remove_empty_batches()?;
        self.fill_remote_kinds()?;
        let Self { changes, reported, configured, .. } = self;
        Ok(Committed { answers, changes, reported, ended_batches, configured })
    }

    /// Sets `remote_kind` of the jobs in the remote lane that were queued again. It is not set for
    /// new jobs, because the caller that submits them knows their kinds.
    fn fill_remote_kinds(&mut self) -> Result<(), TransactionError> {
        let is_requeued_remote = |change: &&mut Change| {
            let is_queued = change.from.is_some() && change.to == Some(State::Queued);
            change.lane == Lane::Remote && is_queued
        };
        for change in self.changes.iter_mut().filter(is_requeued_remote) {
            let find = FindKind { job: change.job.0 };
            let kind: Option<String> = find.get_result(self.connection).optional()?;
            change.remote_kind = kind.map(Into::into);
        }
        Ok(())
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Records a change of a job's state; `None` is the state before creation and after removal.
    ///
    /// Counts of queues and batches, the roster and event streams are all derived from these records.
    pub(crate) fn record_move(
        &mut self,
        location: JobLocation,
        from: Option<State>,
        to: Option<State>,
    ) {
        self.push_change(location, from, to, None, None);
    }

    /// Records the start or end of an attempt, with how long the job was due or the attempt ran.
    pub(crate) fn record_timed_move(
        &mut self,
        location: JobLocation,
        from: State,
        to: State,
        took: Option<Span>,
    ) {
        self.push_change(location, Some(from), Some(to), None, took);
    }

    /// Records that the progress or the log of a job changed.
    pub(crate) fn record_report(&mut self, job: JobId, queue: QueueName) {
        self.reported.push((job, queue));
    }

    /// Records a move to a state in which the job waits until `due_at`.
    pub(crate) fn record_move_until(
        &mut self,
        location: JobLocation,
        from: Option<State>,
        to: State,
        due_at: Timestamp,
        took: Option<Span>,
    ) {
        self.push_change(location, from, Some(to), Some(due_at), took);
    }

    fn push_change(
        &mut self,
        location: JobLocation,
        from: Option<State>,
        to: Option<State>,
        due_at: Option<Timestamp>,
        took: Option<Span>,
    ) {
        if to == Some(State::Queued) {
            self.exhausted.clear();
            self.is_expiry_done = false;
        }
        let JobLocation { job, queue, lane, batch } = location;
        let remote_kind = None;
        self.changes.push(Change { job, queue, lane, remote_kind, batch, from, to, due_at, took });
    }

    pub(crate) fn record_configured(&mut self, queue: QueueName, settings: QueueSettings) {
        self.configured.push((queue, settings));
    }

    /// Converts a row to the location of its job.
    pub(crate) fn location(&self, row: LocationRow) -> Result<JobLocation, StoreError> {
        let (job, queue, lane, batch) = row;
        Ok(JobLocation {
            job: JobId(job),
            queue: self.queue_ids.name(queue)?,
            lane: lane_of(lane)?,
            batch: batch.map(BatchId),
        })
    }
}
