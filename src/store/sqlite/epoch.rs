//! The epoch: read at the opening, begun anew where the database is a copy.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::statement::statement;
use super::transaction::{self, Failure};
use crate::job::Timestamp;
use crate::job::epoch::Epoch;
use crate::store::StoreError;
use crate::store::schema::epoch;
use crate::store::sql_types::{Integer, Nullable};

/// How many ids a new epoch leaves out: the original has given ids after the copy was made, and
/// who asks for one of those jobs is not to find another in its place.
const SKIPPED_IDS: i64 = 1_000_000;

statement! {
    LargestToken -> Nullable<Integer> = "SELECT max(lease_token) FROM jobs"
}

statement! {
    BeginEpoch =
    "UPDATE epoch
     SET token_floor = " [token_floor: Integer as i64] ", began_at = " [now: Integer as i64]
    ", copied_at = NULL"
}

statement! {
    /// A table that never had a row has no number yet.
    NumberTables =
    "INSERT INTO sqlite_sequence (name, seq)
     SELECT column1, 0 FROM (VALUES ('jobs'), ('batches'))
     WHERE column1 NOT IN (SELECT name FROM sqlite_sequence)"
}

statement! {
    SkipIds =
    "UPDATE sqlite_sequence SET seq = seq + " [count: Integer as i64]
    " WHERE name IN ('jobs', 'batches')"
}

statement! {
    FindTable -> Integer = "SELECT count(*) FROM sqlite_schema WHERE name = 'epoch'"
}

statement! {
    MarkCopy = "UPDATE epoch SET copied_at = " [now: Integer as i64]
}

/// The epoch that the tables tell of.
pub(super) fn read(connection: &mut SqliteConnection) -> Result<Epoch, Failure> {
    let columns = (epoch::token_floor, epoch::copied_at);
    let row: Option<(i64, Option<i64>)> =
        epoch::table.find(1).select(columns).get_result(connection).optional()?;
    let Some((token_floor, copied_at)) = row else {
        return Err(StoreError::Corrupt("table epoch has no row".into()).into());
    };
    Ok(Epoch { token_floor, copied_at: copied_at.map(Timestamp::from_millis) })
}

/// Begins a new epoch where the database is a copy or is said to be one. Gives the old epoch and
/// the new one.
pub(super) fn begin(
    connection: &mut SqliteConnection,
    is_restored: bool,
    now: Timestamp,
) -> Result<Option<(Epoch, Epoch)>, Failure> {
    transaction::immediate(connection, |connection| {
        let before = read(connection)?;
        if before.copied_at.is_none() && !is_restored {
            return Ok(None);
        }
        let largest_token: Option<i64> = LargestToken {}.get_result(connection)?;
        let next = before.next(largest_token.unwrap_or(0), now);
        BeginEpoch { token_floor: next.token_floor, now: now.millis() }.execute(connection)?;
        NumberTables {}.execute(connection)?;
        SkipIds { count: SKIPPED_IDS }.execute(connection)?;
        Ok(Some((before, next)))
    })
}

/// Whether the tables are of a time that knows epochs.
pub(super) fn is_there(connection: &mut SqliteConnection) -> QueryResult<bool> {
    Ok(FindTable {}.get_result::<i64>(connection)? > 0)
}

/// Notes in a copy that it is one.
pub(super) fn mark_copy(connection: &mut SqliteConnection, now: Timestamp) -> QueryResult<usize> {
    MarkCopy { now: now.millis() }.execute(connection)
}
