//! Backups: a copy of a database that may be in use.
//!
//! `VACUUM INTO` reads one snapshot, however long it takes, and does not block the writer. Its only cost
//! for the server is that the log cannot be truncated meanwhile. SQLite's backup API restarts with
//! every write of another process unless it copies everything in one step, and it needs unsafe code.

mod partial;

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use serde::{Deserialize, Serialize};

use crate::job::State;
use crate::job::Timestamp;
use crate::job::queue::StateCounts;
use crate::store::rows::values::corrupt;
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::admin::{epoch, foreign_log, location, open, signing_secret};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::{OpenError, StoreError};
use partial::PartialFile;

statement! {
    CopyInto<'a> = "VACUUM INTO " [file: Text as &'a str]
}

statement! {
    QuickCheck -> Text = "SELECT quick_check FROM pragma_quick_check WHERE quick_check != 'ok'"
}

statement! {
    JobsByState -> (Integer, Integer) = "SELECT state, count(*) FROM jobs GROUP BY state"
}

/// Result of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Size of the copy in bytes.
    pub bytes: u64,
    /// Number of jobs in the copy, by state.
    pub jobs: StateCounts,
    /// Whether the copy is marked as a copy. Tables of versions without epochs cannot be marked.
    pub is_marked: bool,
}

/// Error of a backup. The target file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target exists; the caller can ask to replace it.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// The target is the database itself, or a file that belongs to it.
    #[error("{} belongs to the database itself", .0.display())]
    OwnFile(PathBuf),
    /// There is a log or journal next to the target. SQLite would write its pages into the copy.
    #[error("{} belongs to another database file: move it away first", .0.display())]
    ForeignLog(PathBuf),
    /// The target is not a regular file, so it cannot be replaced.
    #[error("{} is {kind}; give the path of a regular file, or of a new one", path.display())]
    NotAFile {
        /// Path of the target.
        path: PathBuf,
        /// What it is, such as `a directory`.
        kind: &'static str,
    },
    /// Another program has deleted or replaced the temporary file of the copy.
    #[error("another program has replaced {}: back up to another directory", .0.display())]
    Replaced(PathBuf),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be created, locked, renamed or synced.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The database cannot be copied, or the disk is full.
    #[error("cannot copy {}: {reason}", database.display())]
    Failed {
        /// Path of the database.
        database: PathBuf,
        /// Description of the cause, for people.
        reason: String,
    },
}

impl BackupError {
    /// Returns whether the cause is a wrong argument, and not the content of a file or the disk.
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::Exists(_) | Self::OwnFile(_) | Self::ForeignLog(_) | Self::NotAFile { .. } => true,
            Self::Open(error) => error.is_misuse(),
            Self::Replaced(_) | Self::Io { .. } | Self::Failed { .. } => false,
        }
    }
}

/// Copies a database to `file`. The file appears only when the copy is complete and on disk.
///
/// # Errors
/// Returns [`BackupError`] if the file cannot be written or the database cannot be read.
pub fn back_up(
    database: &Path,
    file: &Path,
    replace: bool,
    now: Timestamp,
) -> Result<Backup, BackupError> {
    let failed = |reason: &dyn Display| BackupError::Failed {
        database: database.into(),
        reason: reason.to_string(),
    };
    let mut source = open::read_only(database)?;
    check_target(database, file, replace)?;
    let partial = PartialFile::create(file)?;
    let copying = CopyInto { file: partial.name() }.execute(&mut source);
    copying.map_err(|error| failed(&StoreError::from(TransactionError::from(error))))?;
    drop(source);
    let backup = mark_and_check(partial.path(), now).map_err(|reason| failed(&reason))?;
    // The target may have been created meanwhile.
    check_target(database, file, replace)?;
    partial.publish(replace)?;
    Ok(backup)
}

/// Checks that a copy may be written to `file`.
fn check_target(database: &Path, file: &Path, replace: bool) -> Result<(), BackupError> {
    if is_part_of(database, file) {
        return Err(BackupError::OwnFile(file.into()));
    }
    if let Some(log) = foreign_log::find_leftover(file) {
        return Err(BackupError::ForeignLog(log));
    }
    match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() => Err(BackupError::NotAFile {
            path: file.into(),
            kind: location::describe(found.file_type()),
        }),
        Ok(_) if !replace => Err(BackupError::Exists(file.into())),
        // A path that cannot be read is reported when the copy is created there.
        _ => Ok(()),
    }
}

/// Returns whether `file` is the database, its log or its lock, even by another path or a link.
fn is_part_of(database: &Path, file: &Path) -> bool {
    let Ok(file) = partial::resolve(file) else { return false };
    let Ok(database) = fs::canonicalize(database) else { return false };
    let suffixes = location::FILES.into_iter().chain(["-journal"]);
    let mut parts = suffixes.map(|suffix| foreign_log::with_suffix(&database, suffix));
    parts.any(|part| part == file || partial::is_same_file(&part, &file))
}

/// Marks the file as a copy, and checks that it is undamaged.
fn mark_and_check(copy: &Path, now: Timestamp) -> Result<Backup, String> {
    let to_text =
        |error: diesel::result::Error| StoreError::from(TransactionError::from(error)).to_string();
    let mut connection = open::unmigrated(copy).map_err(|error| error.to_string())?;
    // No journal file next to the copy. It protects nothing: after an error the copy is deleted.
    connection.batch_execute("PRAGMA journal_mode = MEMORY").map_err(to_text)?;
    let is_marked = epoch::exists(&mut connection).map_err(to_text)?;
    if is_marked {
        epoch::mark_copy(&mut connection, now).map_err(to_text)?;
    }
    signing_secret::replace(&mut connection).map_err(|error| StoreError::from(error).to_string())?;
    let damage: Option<String> =
        QuickCheck {}.get_result(&mut connection).optional().map_err(to_text)?;
    if let Some(damage) = damage {
        return Err(format!("the copy is damaged, and so is the database: {damage}"));
    }
    let jobs = count_jobs(&mut connection).map_err(|error| error.to_string())?;
    drop(connection);
    let bytes = fs::metadata(copy).map_err(|error| error.to_string())?.len();
    Ok(Backup { bytes, jobs, is_marked })
}

fn count_jobs(connection: &mut SqliteConnection) -> Result<StateCounts, StoreError> {
    let rows: Vec<(i64, i64)> = JobsByState {}.load(connection).map_err(TransactionError::from)?;
    let mut counts = StateCounts::default();
    for (state, jobs) in rows {
        let known = State::from_code(state);
        let state = known.ok_or_else(|| {
            corrupt(format_args!("{jobs} jobs"), format_args!("are in state {state}"))
        })?;
        *counts.get_mut(state) = jobs;
    }
    Ok(counts)
}
