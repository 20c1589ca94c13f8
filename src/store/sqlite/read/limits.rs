//! Reads of what holds jobs back: limits of queues, and providers.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::limit::waiting::LimitsOfJob;
use crate::job::{JobId, Timestamp};
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::provider::ProviderRow;
use crate::store::rows::values::count_of;
use crate::store::schema::{jobs, providers};
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::leases::limited::{QueueLimits, find_limits};

statement! {
    /// Counts the running jobs of a queue in the async lane. `lease_expires_at > 0` is true for every running
    /// job and makes SQLite use their index.
    RunningAsync -> Integer =
    "SELECT count(*) FROM jobs
     WHERE state = " {Running} " AND lease_expires_at > 0 AND lane = " {Async} " AND queue_id = " [queue_id: Integer as i64]
}

/// Returns what limits a job at `now`.
pub(super) fn of_job(
    connection: &mut SqliteConnection,
    id: JobId,
    now: Timestamp,
    impossible: &mut ImpossibleRows,
) -> Result<Option<LimitsOfJob>, TransactionError> {
    let row: Option<(i64, Option<i64>)> = jobs::table
        .find(id.0)
        .select((jobs::queue_id, jobs::provider_id))
        .get_result(connection)
        .optional()?;
    let Some((queue_id, provider_id)) = row else { return Ok(None) };
    let QueueLimits { settings, starts, running } = find_limits(connection, queue_id, impossible)?;
    let room = settings.room(running, &starts, now);
    let provider = match provider_id {
        Some(provider_id) => {
            let found = providers::table.find(provider_id).select(ProviderRow::as_select());
            let row: Option<ProviderRow> = found.get_result(connection).optional()?;
            let with_state = |row: ProviderRow| {
                let name = impossible.skip(row.name())?;
                Ok::<_, TransactionError>(name.map(|name| (name, row.state(impossible))))
            };
            row.map(with_state).transpose()?.flatten()
        }
        None => None,
    };
    let held = room.held.filter(|_| room.jobs == 0);
    let running_async = match running {
        0 => 0,
        _ => count_of(RunningAsync { queue_id }.get_result(connection)?),
    };
    Ok(Some(LimitsOfJob { settings, running, running_async, held, provider }))
}
