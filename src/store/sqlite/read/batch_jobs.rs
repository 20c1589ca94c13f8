//! The search for the jobs of a batch in some states, in the order of submission.

use diesel::RunQueryDsl;
use diesel::sqlite::SqliteConnection;

use crate::job::JobId;
use crate::store::sql_types::Integer;
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::read::batches;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::{self, TransactionError};
use crate::store::{BatchJobs, BatchJobsQuery};

/// Number of jobs of a batch that one read looks at, whatever their states are.
const MAX_READ: usize = 10_000;

statement! {
    StatesOfBatchAfter -> (Integer, Integer) =
    "SELECT id, state FROM jobs INDEXED BY jobs_batch
     WHERE batch_id = " [batch: Integer as i64] " AND id > " [after: Integer as i64]
    " ORDER BY id LIMIT (" [limit: Integer as i64] " + 0)"
}

/// Returns the next jobs in these states; none if the batch does not exist for the caller.
pub(super) fn find(
    connection: &mut SqliteConnection,
    query: &BatchJobsQuery,
    visible: &VisibleQueues,
) -> Result<BatchJobs, TransactionError> {
    transaction::reading(connection, |connection| {
        if batches::find_summary(connection, query.batch, visible)?.is_none() {
            return Ok(BatchJobs::default());
        }
        let (batch, after, limit) = (query.batch.0, query.after.0, MAX_READ as i64);
        let rows: Vec<(i64, i64)> =
            StatesOfBatchAfter { batch, after, limit }.load(connection)?;
        let next = rows.last().filter(|_| rows.len() == MAX_READ).map(|(id, _)| JobId(*id));
        let is_meant = |code: i64| query.states.iter().any(|state| state.code() == code);
        let meant = rows.into_iter().filter(|(_, code)| is_meant(*code));
        Ok(BatchJobs { jobs: meant.map(|(id, _)| JobId(id)).collect(), next })
    })
}
