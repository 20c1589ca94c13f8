//! The search for what may be removed: old final jobs, and old batches without jobs.

use diesel::prelude::*;

use crate::job::{BatchId, JobId, Timestamp};
use crate::store::Prunable;
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::read::SqliteReads;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;

statement! {
    /// Finds the jobs in a range of ids that became final before a time. Those of an open batch are kept, because
    /// its end may need their results.
    OldJobsInRange -> Integer =
    "SELECT id FROM jobs
     WHERE id > " [after: Integer as i64] " AND id <= " [until: Integer as i64]
    " AND finished_at < " [finished_before: Integer as i64]
    " AND NOT EXISTS (
         SELECT 1 FROM batches WHERE batches.id = jobs.batch_id AND open_until IS NOT NULL)"
}

statement! {
    /// Finds batches without jobs that ended before a time.
    OldEmptyBatches -> Integer =
    "SELECT id FROM batches WHERE finished_at < " [finished_before: Integer as i64]
    " AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch_id = batches.id)
     ORDER BY finished_at LIMIT 1000"
}

statement! {
    LastId -> Nullable<Integer> = "SELECT max(id) FROM jobs"
}

statement! {
    FirstAfter -> (Integer, Integer) =
    "SELECT id, created_at FROM jobs WHERE id > " [after: Integer as i64] " ORDER BY id LIMIT 1"
}

/// Difference between the last and the first id that one prune step scans, which bounds its rows.
const PRUNE_STEP_IDS: i64 = 2_000;

impl SqliteReads {
    /// Finds old final jobs in the next range of ids, and with the first range old empty batches.
    pub(super) fn find_prunable(
        &mut self,
        after: JobId,
        finished_before: Timestamp,
    ) -> Result<Prunable, TransactionError> {
        // Removed jobs leave gaps between ids: start at the first job that exists.
        let first: Option<(i64, i64)> =
            FirstAfter { after: after.0 }.get_result(&mut self.connection).optional()?;
        let mut found = Prunable::default();
        if after == JobId(0) {
            let empty = OldEmptyBatches { finished_before: finished_before.millis() };
            let empty: Vec<i64> = empty.load(&mut self.connection)?;
            found.batches = empty.into_iter().map(BatchId).collect();
        }
        let Some((first, created_at)) = first else { return Ok(found) };
        if created_at >= finished_before.millis() {
            // A job ends after it was created, and jobs with larger ids were created later.
            return Ok(found);
        }
        let until = first + PRUNE_STEP_IDS;
        let query =
            OldJobsInRange { after: first - 1, until, finished_before: finished_before.millis() };
        let jobs: Vec<i64> = query.load(&mut self.connection)?;
        let last: Option<i64> = LastId {}.get_result(&mut self.connection)?;
        let next = last.filter(|last| *last > until).map(|_| JobId(until));
        Ok(Prunable { jobs: jobs.into_iter().map(JobId).collect(), next, ..found })
    }
}
