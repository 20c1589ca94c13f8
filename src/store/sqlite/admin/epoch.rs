//! The epoch: read when a database is opened, and followed by a new one if the database is a copy.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::Timestamp;
use crate::job::epoch::Epoch;
use crate::store::StoreError;
use crate::store::schema::epoch;
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::admin::signing_secret;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::{self, TransactionError};

/// Number of ids that a new epoch skips. The original may have used ids after the copy was made; a
/// client that asks the copy for such a job must not get a different one.
const SKIPPED_IDS: i64 = 1_000_000;

statement! {
    LargestToken -> Nullable<Integer> = "SELECT max(lease_token) FROM jobs"
}

statement! {
    StartEpoch =
    "UPDATE epoch
     SET token_floor = " [token_floor: Integer as i64] ", began_at = " [now: Integer as i64]
    ", copied_at = NULL"
}

statement! {
    /// Inserts the counter of a table that never had a row, because AUTOINCREMENT has none for it yet.
    InsertMissingSequences =
    "INSERT INTO sqlite_sequence (name, seq)
     SELECT column1, 0 FROM (VALUES ('jobs'), ('batches'), ('api_keys'))
     WHERE column1 NOT IN (SELECT name FROM sqlite_sequence)"
}

statement! {
    SkipIds =
    "UPDATE sqlite_sequence SET seq = seq + " [count: Integer as i64]
    " WHERE name IN ('jobs', 'batches', 'api_keys')"
}

statement! {
    FindTable -> Integer = "SELECT count(*) FROM sqlite_schema WHERE name = 'epoch'"
}

statement! {
    MarkCopy = "UPDATE epoch SET copied_at = " [now: Integer as i64]
}

/// Returns the current epoch.
pub(crate) fn read(connection: &mut SqliteConnection) -> Result<Epoch, TransactionError> {
    let columns = (epoch::token_floor, epoch::copied_at);
    let row: Option<(i64, Option<i64>)> =
        epoch::table.find(1).select(columns).get_result(connection).optional()?;
    let Some((token_floor, copied_at)) = row else {
        return Err(StoreError::Corrupt("table epoch has no row".into()).into());
    };
    Ok(Epoch { token_floor, copied_at: copied_at.map(Timestamp::from_millis) })
}

/// Starts a new epoch if the database is a copy or `is_restored` is true. Returns the previous and the
/// new epoch.
pub(crate) fn start(
    connection: &mut SqliteConnection,
    is_restored: bool,
    now: Timestamp,
) -> Result<Option<(Epoch, Epoch)>, TransactionError> {
    transaction::immediate(connection, |connection| {
        let before = read(connection)?;
        if before.copied_at.is_none() && !is_restored {
            return Ok(None);
        }
        let largest_token: Option<i64> = LargestToken {}.get_result(connection)?;
        let next = before.next(largest_token.unwrap_or(0), now);
        StartEpoch { token_floor: next.token_floor, now: now.millis() }.execute(connection)?;
        InsertMissingSequences {}.execute(connection)?;
        SkipIds { count: SKIPPED_IDS }.execute(connection)?;
        // Tokens of the original are not valid in the copy, whose keys may have the same ids.
        signing_secret::replace(connection)?;
        Ok(Some((before, next)))
    })
}

/// Returns whether the table of epochs exists, which older databases do not have.
pub(crate) fn exists(connection: &mut SqliteConnection) -> QueryResult<bool> {
    Ok(FindTable {}.get_result::<i64>(connection)? > 0)
}

/// Marks the database as a copy that was made at `now`.
pub(crate) fn mark_copy(connection: &mut SqliteConnection, now: Timestamp) -> QueryResult<usize> {
    MarkCopy { now: now.millis() }.execute(connection)
}
