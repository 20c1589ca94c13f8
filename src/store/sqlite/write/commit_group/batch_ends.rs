//! The order in which the jobs of batches end, which event streams of batches follow.

use diesel::prelude::*;

use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;

statement! {
    LastEnd -> Nullable<Integer> =
    "SELECT max(seq) FROM batch_ends WHERE batch_id = " [batch: Integer as i64]
}

statement! {
    /// Adds the ends of jobs after the last one. A batch that does not exist, because a row of a job is
    /// impossible, has none.
    InsertEnds<'a> =
    "INSERT INTO batch_ends (batch_id, seq, job_id)
     SELECT batches.id, " [last: Integer as i64] " + 1 + key, value
     FROM batches CROSS JOIN json_each(" [jobs: Text as &'a str] ")
     WHERE batches.id = " [batch: Integer as i64]
}

impl CommitGroup<'_> {
    /// Records which jobs of batches ended in this group, in the order of their ends.
    pub(super) fn record_batch_ends(&mut self) -> Result<(), TransactionError> {
        for (batch, jobs) in self.changes.ends_by_batch() {
            let last: Option<i64> = LastEnd { batch: batch.0 }.get_result(self.connection)?;
            let jobs = serde_json::to_string(&jobs).unwrap_or_default();
            let insert = InsertEnds { last: last.unwrap_or(0), jobs: &jobs, batch: batch.0 };
            insert.execute(self.connection)?;
        }
        Ok(())
    }
}
