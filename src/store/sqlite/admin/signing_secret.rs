//! The secret with which tokens are signed: made when a database is first opened, and kept in it, so that tokens
//! stay valid over restarts.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::store::StoreError;
use crate::store::sql_types::{Binary, Integer};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;

statement! {
    AddSecret<'a> =
    "INSERT OR IGNORE INTO signing_secret (id, secret) VALUES (1, " [secret: Binary as &'a [u8]] ")"
}

statement! {
    FindSecret -> Binary = "SELECT secret FROM signing_secret WHERE id = 1"
}

statement! {
    FindTable -> Integer =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'signing_secret'"
}

statement! {
    ReplaceSecret<'a> = "UPDATE signing_secret SET secret = " [secret: Binary as &'a [u8]]
}

/// Makes the secret of a database that has none.
pub(in crate::store::sqlite) fn create(
    connection: &mut SqliteConnection,
) -> Result<(), TransactionError> {
    AddSecret { secret: &random()? }.execute(connection)?;
    Ok(())
}

/// Replaces the secret of a copy and overwrites the old one, so that nobody with the copy can sign a token, or the
/// session of an administrator, for the server that it was made from. Older databases have none.
pub(in crate::store::sqlite) fn replace(
    connection: &mut SqliteConnection,
) -> Result<(), TransactionError> {
    let tables: i64 = FindTable {}.get_result(connection)?;
    if tables > 0 {
        connection.batch_execute("PRAGMA secure_delete = ON")?;
        ReplaceSecret { secret: &random()? }.execute(connection)?;
    }
    Ok(())
}

fn random() -> Result<[u8; 32], StoreError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| {
        StoreError::Unreadable(format!("the system has no random numbers: {error}"))
    })?;
    Ok(secret)
}

/// Returns the secret.
pub(in crate::store::sqlite) fn read(
    connection: &mut SqliteConnection,
) -> Result<[u8; 32], TransactionError> {
    let secret: Option<Vec<u8>> = FindSecret {}.get_result(connection).optional()?;
    let secret = secret.and_then(|secret| secret.try_into().ok());
    Ok(secret.ok_or_else(|| StoreError::Corrupt("table signing_secret has no valid row".into()))?)
}
