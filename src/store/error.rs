//! Errors of transactions and reads, and of opening a database.

use std::fmt;
use std::path::{Path, PathBuf};

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
    /// A file of the database was deleted, moved or replaced while it was open, so what was written is
    /// not where the next start looks for it. The process must end.
    #[error(
        "{} was deleted, moved or replaced while it was in use; whether the last writes can be found at the next start is not known",
        .0.display()
    )]
    Moved(PathBuf),
    /// The database cannot be reached at present. Nothing was written; the caller may try again. A backend
    /// whose database is on this machine never returns this.
    #[error("the database cannot be reached: {0}")]
    Away(String),
    /// Other processes that share the database have declared this one dead, and run its jobs. Nothing was
    /// written. The process must stop its jobs, and join anew. A backend with one process never returns
    /// this.
    #[error("other processes have declared this one dead: {0}")]
    Gone(String),
}

/// Error of opening a database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the database open for writing.
    #[error(
        "another process serves {path}: {held}; stop that process first, and do not delete the lock file"
    )]
    InUse {
        /// Path of the database.
        path: String,
        /// Description of the lock and of the process that holds it.
        held: String,
    },
    /// The lock file, or the database, cannot be locked.
    #[error("cannot lock {}: {error}", path.display())]
    Lock {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The path leads to something other than a regular file.
    #[error("cannot open the database {}: it is {kind}, and must be a regular file", path.display())]
    NotAFile {
        /// Path of the database.
        path: PathBuf,
        /// What it is, such as `a directory`.
        kind: &'static str,
    },
    /// The file has several names. The write-ahead log is beside only one of them.
    #[error(
        "{} has {names} names (hard links), and a database must have one: delete the others, or copy the file",
        path.display()
    )]
    HardLinks {
        /// Path of the database.
        path: PathBuf,
        /// Number of its names.
        names: u64,
    },
    /// The file is a mount point of its own. The write-ahead log beside it would be on another disk.
    #[error(
        "{} is mounted as a single file, and its write-ahead log would be elsewhere: mount the directory",
        .0.display()
    )]
    MountPoint(PathBuf),
    /// The file belongs to another program. Nothing was changed.
    #[error("{} is not a database of longshore: {reason}; nothing was changed", path.display())]
    Foreign {
        /// Path of the file.
        path: PathBuf,
        /// Description of what was found.
        reason: String,
    },
    /// A newer version of this program has migrated the database. Nothing was changed.
    #[error(
        "{} was migrated to schema {found} by a newer version of longshore; this one, {}, knows schemas up to {known}: start the newer version, or restore a backup from before the upgrade",
        path.display(), env!("CARGO_PKG_VERSION")
    )]
    NewerSchema {
        /// Path of the database.
        path: PathBuf,
        /// Latest schema of the database.
        found: String,
        /// Latest schema of this program.
        known: String,
    },
    /// The configuration names a database server, for which this version has no backend.
    #[error("cannot open {0}: this version has no backend for a database server; use the path of a file")]
    NoBackend(String),
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
    /// The database is missing or empty, and there is a write-ahead log next to it, which may hold the
    /// last commits. SQLite would delete it.
    #[error(
        "{} is missing or empty, and its log {} is not: put the database back, or move the log away",
        path.display(), log.display()
    )]
    LogWithoutDatabase {
        /// Path of the database.
        path: PathBuf,
        /// Path of the log.
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

impl OpenError {
    /// Returns [`OpenError::Failed`] with the path of the database.
    pub(crate) fn failed(path: &Path, reason: &dyn fmt::Display) -> Self {
        Self::Failed { path: path.display().to_string(), reason: reason.to_string() }
    }

    /// Returns [`OpenError::Foreign`] with the path of the file.
    pub(crate) fn foreign(path: &Path, reason: &str) -> Self {
        Self::Foreign { path: path.into(), reason: reason.into() }
    }

    /// Returns whether the configured path leads to a file that this program must not serve, so that
    /// another start cannot help.
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::NotAFile { .. } | Self::HardLinks { .. } | Self::MountPoint(_) => true,
            Self::Foreign { .. } | Self::NewerSchema { .. } | Self::NoBackend(_) => true,
            Self::InUse { .. } | Self::Lock { .. } | Self::OldSqlite { .. } => false,
            Self::ForeignLog { .. } | Self::LogWithoutDatabase { .. } => false,
            Self::BadPath(_) | Self::Failed { .. } => false,
        }
    }
}
