//! The secret with which tokens are signed: made when a database is first opened, and kept in it, so that tokens
//! stay valid over restarts.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::store::StoreError;
use crate::store::sql_types::Binary;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;

statement! {
    AddSecret<'a> =
    "INSERT OR IGNORE INTO signing_secret (id, secret) VALUES (1, " [secret: Binary as &'a [u8]] ")"
}

statement! {
    FindSecret -> Binary = "SELECT secret FROM signing_secret WHERE id = 1"
}

/// Makes the secret of a database that has none.
pub(in crate::store::sqlite) fn create(
    connection: &mut SqliteConnection,
) -> Result<(), TransactionError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| {
        StoreError::Unreadable(format!("the system has no random numbers: {error}"))
    })?;
    AddSecret { secret: &secret }.execute(connection)?;
    Ok(())
}

/// Returns the secret.
pub(in crate::store::sqlite) fn read(
    connection: &mut SqliteConnection,
) -> Result<[u8; 32], TransactionError> {
    let secret: Option<Vec<u8>> = FindSecret {}.get_result(connection).optional()?;
    let secret = secret.and_then(|secret| secret.try_into().ok());
    Ok(secret.ok_or_else(|| StoreError::Corrupt("table signing_secret has no valid row".into()))?)
}
