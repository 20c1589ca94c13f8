//! Errors of transactions and reads, and of opening a database.

use std::path::PathBuf;

/// Error of a whole transaction or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, or a file has reached the size that the operator allows. Nothing was
    /// written; the caller may try again when there is room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Another process locked the database for longer than this process waits. Nothing was written;
    /// the caller may try again.
    #[error("another process holds the database: {0}")]
    Busy(String),
    /// It is unknown whether the transaction was committed. The process must end; the next start
    /// reads what is on disk.
    #[error("the database failed, and whether the last transaction was written is not known: {0}")]
    Unknown(String),
    /// A read failed. Nothing is lost; the caller may try again.
    #[error("the database could not be read: {0}")]
    Unreadable(String),
    /// A row contains a value that no version of this program writes, or a row that must exist is
    /// missing. Nothing was written; `longshore verify` shows the row.
    #[error("the database holds an impossible row: {0}")]
    Corrupt(String),
}

/// Error of opening a database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the database open for writing.
    #[error("another process serves {path}: it holds the lock on {path}.lock")]
    InUse {
        /// Path of the database.
        path: String,
    },
    /// The lock file cannot be created or locked.
    #[error("cannot lock {path}.lock: {error}")]
    Lock {
        /// Path of the database.
        path: String,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The SQLite library is too old.
    #[error("SQLite {found} can corrupt a database in WAL mode; at least {needed} is needed")]
    OldSqlite {
        /// Version of the SQLite library that is linked.
        found: String,
        /// Oldest version that is accepted.
        needed: &'static str,
    },
    /// A write-ahead log next to the database belongs to another database file. SQLite would write
    /// its pages into this one.
    #[error(
        "{} is the log of another database file, which {} has replaced: move the log away",
        log.display(), path.display()
    )]
    ForeignLog {
        /// Path of the database.
        path: PathBuf,
        /// Path of the foreign log.
        log: PathBuf,
    },
    /// The path is not UTF-8, which SQLite requires.
    #[error("the database path {0:?} is not UTF-8")]
    BadPath(PathBuf),
    /// The database cannot be opened, or its tables cannot be migrated.
    #[error("cannot open the database {path}: {reason}")]
    Failed {
        /// Path of the database.
        path: String,
        /// Description of the cause, for people.
        reason: String,
    },
}
