//! A transaction, and what its errors mean.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sqlite::SqliteConnection;

use super::statement::statement;
use crate::store::StoreError;

statement! {
    Begin = "BEGIN IMMEDIATE"
}

statement! {
    BeginReading = "BEGIN"
}

statement! {
    Commit = "COMMIT"
}

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// One of its statements was refused by a constraint. The transaction is rolled back.
    Write(Error),
    /// The store itself failed.
    Store(StoreError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::DatabaseError(kind, _) if is_constraint(kind) => Self::Write(error),
            _ => Self::Store(meaning(&error)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Write(error) => meaning(&error),
            Failure::Store(error) => error,
        }
    }
}

fn is_constraint(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{
        CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation,
    };
    matches!(kind, CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation)
}

/// What SQLite's message means. Diesel does not hand its code on, and the texts of
/// `sqlite3_errstr` are fixed.
fn meaning(error: &Error) -> StoreError {
    let text = error.to_string();
    if text.contains("database or disk is full") {
        StoreError::Full(text)
    } else {
        StoreError::Unknown(text)
    }
}

/// A transaction that did not begin wrote nothing, whatever kept it from it.
fn not_begun(error: Error) -> Failure {
    let text = error.to_string();
    if text.contains("database is locked") {
        Failure::Store(StoreError::Busy(text))
    } else {
        error.into()
    }
}

/// Runs `work` between BEGIN IMMEDIATE and COMMIT, and undoes it where it fails.
///
/// Not Diesel's own transaction: where the disk is full SQLite rolls back by itself, and Diesel's
/// manager takes the ROLLBACK that then fails for the error, and the connection for broken.
pub(super) fn immediate<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    Begin {}.execute(connection).map_err(not_begun)?;
    end(connection, work)
}

/// Runs `look`, which only reads, so that it sees all as it stood at one moment.
pub(super) fn reading<T>(
    connection: &mut SqliteConnection,
    look: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    BeginReading {}.execute(connection)?;
    end(connection, look)
}

/// Runs what stands in a transaction that has begun, and ends it.
fn end<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let done = match work(connection) {
        Ok(value) => Commit {}.execute(connection).map(|_| value).map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    if done.is_err() {
        // Fails where SQLite has rolled back already, which is as good.
        let _ = connection.batch_execute("ROLLBACK");
    }
    done
}
