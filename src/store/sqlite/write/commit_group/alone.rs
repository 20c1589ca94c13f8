//! Writes and rows that are applied alone, so that one which fails does not affect others.
//!
//! A group is first applied as a whole. If that fails because of one write, the group is rolled back and
//! applied again in smaller parts:
//!
//! 1. Each write after a savepoint: only the write that breaks a constraint, or needs an impossible row, is
//!    undone and refused.
//! 2. If that is a write of many rows, such as a rescue: each of its rows after a savepoint. Only the
//!    impossible row is left as it is, and remembered, so that later groups skip it at once.

use diesel::connection::SimpleConnection;

use crate::job::JobId;
use crate::store::group::lease_memo::LeaseMemo;
use crate::store::sqlite::transaction::{Fault, TransactionError};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{
    ApplyError, ApplyResult, WriteResult, split_refusal,
};
use crate::store::{Refusal, Write};

impl CommitGroup<'_> {
    /// Applies writes in order, each after a savepoint of its own.
    pub(crate) fn apply_each_alone(
        &mut self,
        writes: &[&Write],
    ) -> Result<Vec<WriteResult>, TransactionError> {
        self.is_alone = true;
        writes.iter().map(|write| split_refusal(self.apply_alone(write))).collect()
    }

    /// Applies one write after a savepoint. If it breaks a constraint or needs an impossible row, it is
    /// undone and refused.
    fn apply_alone(&mut self, write: &Write) -> ApplyResult {
        if let Write::Each(writes) = write {
            return self.each(writes, Self::apply_alone);
        }
        match self.after_savepoint(|group| group.apply(write))? {
            Ok(answer) => Ok(answer),
            Err(_) if has_many_rows(write) => self.apply_row_wise(write),
            Err(fault) => Err(self.refuse(write, fault).into()),
        }
    }

    /// Applies a write of many rows again, each row after a savepoint of its own.
    fn apply_row_wise(&mut self, write: &Write) -> ApplyResult {
        self.is_row_wise = true;
        let applied = self.after_savepoint(|group| group.apply(write));
        self.is_row_wise = false;
        applied?.map_err(|fault| self.refuse(write, fault).into())
    }

    /// Applies one row of a write of many rows. Returns `None` if the row is impossible: it is then
    /// unchanged and remembered.
    ///
    /// Only a group that is applied again uses a savepoint. In the first try the whole group fails.
    pub(crate) fn on_row<T>(
        &mut self,
        job: Option<JobId>,
        work: impl FnOnce(&mut Self) -> Result<T, ApplyError>,
    ) -> Result<Option<T>, ApplyError> {
        if !self.is_row_wise {
            return work(self).map(Some);
        }
        match self.after_savepoint(work)? {
            Ok(value) => Ok(Some(value)),
            Err(fault) => {
                self.note(job, fault);
                Ok(None)
            }
        }
    }

    /// Returns whether writes of many rows must handle each row by itself.
    pub(crate) fn is_each_row_alone(&self) -> bool {
        self.is_row_wise || !self.impossible.has_no_jobs()
    }

    /// Removes the jobs that are known to be impossible from `rows`, and all rows after the first
    /// `limit`.
    pub(crate) fn skip_impossible<T>(
        &self,
        rows: &mut Vec<T>,
        limit: i64,
        job: impl Fn(&T) -> i64,
    ) {
        rows.retain(|row| !self.impossible.contains(JobId(job(row))));
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }

    /// Runs `work` after a savepoint, and undoes it if it has a fault.
    pub(super) fn after_savepoint<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, ApplyError>,
    ) -> Result<Result<T, Fault>, ApplyError> {
        let mark = self.changes.mark();
        self.connection.batch_execute("SAVEPOINT alone")?;
        let fault = match work(self) {
            // After other errors the caller rolls back the whole transaction, or SQLite has already
            // done so.
            Err(ApplyError::Failed(error)) => error.into_fault()?,
            done => {
                self.connection.batch_execute("RELEASE alone")?;
                return done.map(Ok);
            }
        };
        self.connection.batch_execute("ROLLBACK TO alone; RELEASE alone")?;
        for queue in self.changes.undo_to(mark) {
            self.queue_ids.remove(&queue);
        }
        self.lease_memo = LeaseMemo::default();
        Ok(Err(fault))
    }

    /// Records the fault of a write, and returns the refusal of the write.
    fn refuse(&mut self, write: &Write, fault: Fault) -> Refusal {
        let job = job_of(write);
        match fault {
            Fault::Impossible(_) => Refusal::ImpossibleRow(self.note(job, fault)),
            // Either the row or the write breaks the constraint, which only a bug can do.
            Fault::Constraint(why) => {
                Refusal::Rejected(job.map_or(why.clone(), |job| format!("job {job}: {why}")))
            }
        }
    }

    /// Records the impossible row of a job, or of another table, and returns its description.
    fn note(&mut self, job: Option<JobId>, fault: Fault) -> String {
        let fault = match (fault, job) {
            (Fault::Constraint(why), Some(job)) => format!("job {job}: {why}"),
            (Fault::Constraint(why) | Fault::Impossible(why), _) => why,
        };
        match job {
            Some(job) => self.impossible.note_job(job, &fault),
            None => self.impossible.note(&fault),
        }
        fault
    }
}

/// Returns whether a write handles many rows, of which it can skip some.
fn has_many_rows(write: &Write) -> bool {
    match write {
        Write::Renew(renew) => renew.leases.len() > 1,
        Write::Lease(_)
        | Write::Stage { .. }
        | Write::Expire { .. }
        | Write::Rescue { .. }
        | Write::Prune { .. }
        | Write::RetryBatch { .. }
        | Write::TimeBuckets(_) => true,
        _ => false,
    }
}

/// Returns the job that a write names.
fn job_of(write: &Write) -> Option<JobId> {
    match write {
        Write::Finish(finish) => Some(finish.lease.job),
        Write::Renew(renew) => match renew.leases.as_slice() {
            [lease] => Some(lease.job),
            _ => None,
        },
        Write::Report(lease, _) => Some(lease.job),
        Write::Log(lines) => Some(lines.lease.job),
        Write::Cancel(job)
        | Write::Retry(job)
        | Write::Update(job, _)
        | Write::Delete(job) => Some(*job),
        _ => None,
    }
}
