//! One transaction's worth of writes: what they share while it is open.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;

use super::lease_remote::Spot;
use super::queue::QueueIds;
use super::statement::statement;
use super::transaction::Failure;
use crate::job::queue::{QueueName, QueueRules, QueueSettings};
use crate::job::{BatchId, JobId, Lane, Span, State, Timestamp};
use crate::store::sql_types::{Integer, Text};
use crate::store::{
    Answer, Change, Committed, JobLocation, Refusal, StoreError, Submit, Write, lane_of,
};

statement! {
    KindOf -> Text = "SELECT kind FROM jobs WHERE id = " [job: Integer as i64]
}

/// Why a write ends early.
pub(super) enum Stop {
    /// The rules refuse it. It has changed nothing: operations check before they write.
    Refused(Refusal),
    /// The database failed it.
    Failed(Failure),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What applying one write gives.
pub(super) type Applied = Result<Answer, Stop>;

/// How a write was taken by the rules.
pub(super) type Taken = Result<Answer, Refusal>;

/// Parts a write that the rules refuse from one that the database fails.
pub(super) fn taken<T>(applied: Result<T, Stop>) -> Result<Result<T, Refusal>, Failure> {
    match applied {
        Ok(answer) => Ok(Ok(answer)),
        Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

/// The open transaction.
pub(super) struct Group<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) rules: &'a QueueRules,
    pub(super) queue_ids: &'a mut QueueIds,
    /// The smallest token of this epoch.
    pub(super) token_floor: i64,
    pub(super) now: Timestamp,
    /// Where remote workers have found nothing, until a job is queued.
    pub(super) empty: Vec<Spot>,
    /// How many bytes of payloads went to remote workers.
    pub(super) leased_bytes: usize,
    /// Whether what has expired was cleared away, as far as is done at once.
    pub(super) has_expired_some: bool,
    changes: Vec<Change>,
    reported: Vec<(JobId, QueueName)>,
    configured: Vec<(QueueName, QueueSettings)>,
}

/// The columns that make a [`JobLocation`].
pub(super) type PlaceRow = (i64, i64, i64, Option<i64>);

impl<'a> Group<'a> {
    pub(super) fn new(
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
            empty: Vec::new(),
            leased_bytes: 0,
            has_expired_some: false,
            changes: Vec::new(),
            reported: Vec::new(),
            configured: Vec::new(),
        }
    }

    /// Applies writes in their order; plain submissions that follow each other together.
    pub(super) fn apply_all(&mut self, writes: &[Write]) -> Result<Vec<Taken>, Failure> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut rest = writes;
        while let [first, others @ ..] = rest {
            let plain: Vec<&Submit> = rest.iter().map_while(Write::plain_submit).collect();
            if plain.is_empty() {
                answers.push(taken(self.apply(first))?);
                rest = others;
            } else {
                answers.extend(self.submit_together(&plain)?);
                rest = &rest[plain.len()..];
            }
        }
        Ok(answers)
    }

    /// Applies writes in their order, each behind a savepoint.
    pub(super) fn apply_each_alone(&mut self, writes: &[Write]) -> Result<Vec<Taken>, Failure> {
        writes.iter().map(|write| taken(self.apply_alone(write))).collect()
    }

    /// Applies one write. Where the database fails it, the transaction is to be given up.
    pub(super) fn apply(&mut self, write: &Write) -> Applied {
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
            Write::TimeBuckets(stretches) => self.tally(stretches),
            Write::Configure { queue, change } => self.configure(queue, change),
        }
    }

    fn each(&mut self, writes: &[Write], apply: fn(&mut Self, &Write) -> Applied) -> Applied {
        let taken: Result<_, Failure> =
            writes.iter().map(|write| taken(apply(self, write))).collect();
        Ok(Answer::Each(taken?))
    }

    /// Applies one write behind a savepoint: what it did is undone where a constraint refuses it.
    pub(super) fn apply_alone(&mut self, write: &Write) -> Applied {
        if let Write::Each(writes) = write {
            return self.each(writes, Self::apply_alone);
        }
        let changed = self.changes.len();
        let (reported, configured) = (self.reported.len(), self.configured.len());
        self.connection.batch_execute("SAVEPOINT one_write")?;
        let applied = self.apply(write);
        if let Err(Stop::Failed(Failure::Write(error))) = &applied {
            let refusal = Refusal::Rejected(error.to_string());
            self.connection.batch_execute("ROLLBACK TO one_write; RELEASE one_write")?;
            self.changes.truncate(changed);
            self.reported.truncate(reported);
            for (queue, _) in self.configured.drain(configured..) {
                self.queue_ids.remove(&queue);
            }
            return Err(refusal.into());
        }
        if let Err(Stop::Failed(_)) = applied {
            // The whole transaction is given up, and SQLite may have undone it already.
            return applied;
        }
        self.connection.batch_execute("RELEASE one_write")?;
        applied
    }

    /// Brings the counts up to date and gives everything out. COMMIT follows.
    pub(super) fn close(
        mut self,
        answers: Vec<Result<Answer, Refusal>>,
    ) -> Result<Committed, Failure> {
        self.count_queues()?;
        let ended_batches = self.count_batches()?;
        self.remove_empty_batches()?;
        self.name_remote_kinds()?;
        let Self { changes, reported, configured, .. } = self;
        Ok(Committed { answers, changes, reported, ended_batches, configured })
    }

    /// Looks up the kinds of the jobs that come back to the remote lane. Those of new jobs are known
    /// to whoever submitted them.
    fn name_remote_kinds(&mut self) -> Result<(), Failure> {
        let comes_back = |change: &&mut Change| {
            let is_queued = change.from.is_some() && change.to == Some(State::Queued);
            change.lane == Lane::Remote && is_queued
        };
        for change in self.changes.iter_mut().filter(comes_back) {
            let look = KindOf { job: change.job.0 };
            let kind: Option<String> = look.get_result(self.connection).optional()?;
            change.remote_kind = kind.map(Into::into);
        }
        Ok(())
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Notes that a job moved. Counts and everybody who listens live by these notes.
    pub(super) fn moved(&mut self, place: JobLocation, from: Option<State>, to: Option<State>) {
        self.push(place, from, to, None, None);
    }

    /// The same of one that starts or ends to run, with how long it took until then.
    pub(super) fn moved_after(
        &mut self,
        place: JobLocation,
        from: State,
        to: State,
        took: Option<Span>,
    ) {
        self.push(place, Some(from), Some(to), None, took);
    }

    /// Notes that an attempt told something of itself.
    pub(super) fn note_report(&mut self, job: JobId, queue: QueueName) {
        self.reported.push((job, queue));
    }

    /// Notes that a job moved to where it waits for `due_at`.
    pub(super) fn moved_until(
        &mut self,
        place: JobLocation,
        from: Option<State>,
        to: State,
        due_at: Timestamp,
        took: Option<Span>,
    ) {
        self.push(place, from, Some(to), Some(due_at), took);
    }

    fn push(
        &mut self,
        place: JobLocation,
        from: Option<State>,
        to: Option<State>,
        due_at: Option<Timestamp>,
        took: Option<Span>,
    ) {
        if to == Some(State::Queued) {
            self.empty.clear();
            self.has_expired_some = false;
        }
        let JobLocation { job, queue, lane, batch } = place;
        let remote_kind = None;
        self.changes.push(Change { job, queue, lane, remote_kind, batch, from, to, due_at, took });
    }

    pub(super) fn note_configured(&mut self, queue: QueueName, settings: QueueSettings) {
        self.configured.push((queue, settings));
    }

    /// The place of a row: id, queue, lane, batch.
    pub(super) fn place(&self, row: PlaceRow) -> Result<JobLocation, StoreError> {
        let (job, queue, lane, batch) = row;
        Ok(JobLocation {
            job: JobId(job),
            queue: self.queue_ids.name(queue)?,
            lane: lane_of(lane)?,
            batch: batch.map(BatchId),
        })
    }
}
