//! Results of applying one write, and their errors.

use diesel::result::Error;

use crate::store::sqlite::transaction::TransactionError;
use crate::store::{Answer, Refusal, StoreError};

/// Error of applying one write.
pub(crate) enum ApplyError {
    /// The rules refuse the write. It has changed nothing, because operations check before they write.
    Refused(Refusal),
    /// The database failed.
    Failed(TransactionError),
}

impl ApplyError {
    /// Returns `None` for a refusal, and the error of the database.
    pub(crate) fn unless_refused<T>(self) -> Result<Option<T>, Self> {
        match self {
            Self::Refused(_) => Ok(None),
            failed => Err(failed),
        }
    }
}

impl From<Refusal> for ApplyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for ApplyError {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<TransactionError> for ApplyError {
    fn from(error: TransactionError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for ApplyError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Result of applying one write.
pub(crate) type ApplyResult = Result<Answer, ApplyError>;

/// Answer to one write, or its refusal.
pub(crate) type WriteResult = Result<Answer, Refusal>;

/// Separates a refusal, which concerns one write, from a database error, which ends the transaction.
pub(crate) fn split_refusal<T>(
    applied: Result<T, ApplyError>,
) -> Result<Result<T, Refusal>, TransactionError> {
    match applied {
        Ok(answer) => Ok(Ok(answer)),
        Err(ApplyError::Refused(refusal)) => Ok(Err(refusal)),
        Err(ApplyError::Failed(error)) => Err(error),
    }
}
