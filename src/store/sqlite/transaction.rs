//! Transactions, and the classification of their errors.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sqlite::SqliteConnection;

use crate::store::StoreError;
use crate::store::sqlite::statement::statement;

statement! {
    Begin = "BEGIN IMMEDIATE"
}

statement! {
    BeginReading = "BEGIN"
}

statement! {
    Commit = "COMMIT"
}

/// Error of a transaction, which is rolled back.
#[derive(Debug)]
pub(super) enum TransactionError {
    /// A constraint of the tables refused a statement.
    Constraint(Error),
    /// The store failed.
    Store(StoreError),
}

impl From<Error> for TransactionError {
    fn from(error: Error) -> Self {
        match &error {
            Error::DatabaseError(kind, _) if is_constraint(kind) => Self::Constraint(error),
            _ => Self::Store(classify(&error)),
        }
    }
}

impl From<StoreError> for TransactionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TransactionError> for StoreError {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Constraint(error) => classify(&error),
            TransactionError::Store(error) => error,
        }
    }
}

/// Fault of a single write or row, after which the rest of the transaction can still be applied.
#[derive(Debug)]
pub(super) enum Fault {
    /// A constraint of the tables refused a statement.
    Constraint(String),
    /// A row has an impossible value, or is missing.
    Impossible(String),
}

impl TransactionError {
    /// Returns whether the error concerns only one write.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::Constraint(_) | Self::Store(StoreError::Corrupt(_)))
    }

    /// Returns the fault, or the error again if it concerns the whole transaction.
    pub(super) fn into_fault(self) -> Result<Fault, Self> {
        match self {
            Self::Constraint(error) => Ok(Fault::Constraint(error.to_string())),
            Self::Store(StoreError::Corrupt(fault)) => Ok(Fault::Impossible(fault)),
            error => Err(error),
        }
    }
}

fn is_constraint(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{
        CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation,
    };
    matches!(kind, CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation)
}

/// Classifies an error by SQLite's message, because Diesel does not expose SQLite's error code. The
/// messages of `sqlite3_errstr` never change.
fn classify(error: &Error) -> StoreError {
    let text = error.to_string();
    match error {
        // The transaction is still open: a column has an impossible type, or a row is missing.
        Error::DeserializationError(_) | Error::NotFound => StoreError::Corrupt(text),
        _ if text.contains("database or disk is full") => StoreError::Full(text),
        _ => StoreError::Unknown(text),
    }
}

/// Classifies an error of BEGIN. A locked database is not an unknown outcome here, because nothing
/// was written.
fn begin_error(error: Error) -> TransactionError {
    let text = error.to_string();
    if text.contains("database is locked") {
        TransactionError::Store(StoreError::Busy(text))
    } else {
        error.into()
    }
}

/// Runs `work` between BEGIN IMMEDIATE and COMMIT, and rolls back if it fails.
///
/// Diesel's own transaction is not used: if the disk is full, SQLite rolls back by itself, Diesel's
/// ROLLBACK then fails, and Diesel returns that error and treats the connection as broken.
pub(super) fn immediate<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, TransactionError>,
) -> Result<T, TransactionError> {
    Begin {}.execute(connection).map_err(begin_error)?;
    run_and_end(connection, work)
}

/// Runs `read`, which must only read, on one snapshot of the database.
pub(super) fn reading<T>(
    connection: &mut SqliteConnection,
    read: impl FnOnce(&mut SqliteConnection) -> Result<T, TransactionError>,
) -> Result<T, TransactionError> {
    BeginReading {}.execute(connection)?;
    run_and_end(connection, read)
}

/// Runs `work` in a transaction that has begun, and ends the transaction.
fn run_and_end<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, TransactionError>,
) -> Result<T, TransactionError> {
    let result = match work(connection) {
        Ok(value) => Commit {}.execute(connection).map(|_| value).map_err(TransactionError::from),
        Err(error) => Err(error),
    };
    if result.is_err() {
        // This fails if SQLite has already rolled back, which is harmless.
        let _ = connection.batch_execute("ROLLBACK");
    }
    result
}
