//! A copy of a database that may be in use.
//!
//! `VACUUM INTO` reads one snapshot, however long it takes, and holds no writer up; all that it
//! costs the server is a log that cannot be cut back meanwhile. SQLite's backup API would have to
//! do the same in one step, for it begins again with every write of another process; and it is not
//! to be had without unsafe code.

mod partial;

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use serde::{Deserialize, Serialize};

use super::statement::statement;
use super::transaction::Failure;
use super::{epoch, foreign_log, open};
use crate::job::Timestamp;
use crate::job::queue::StateCounts;
use crate::store::sql_types::{Integer, Text};
use crate::store::{OpenError, StoreError, state_of};
use partial::Partial;

statement! {
    CopyInto<'a> = "VACUUM INTO " [file: Text as &'a str]
}

statement! {
    QuickCheck -> Text = "SELECT quick_check FROM pragma_quick_check WHERE quick_check != 'ok'"
}

statement! {
    JobsByState -> (Integer, Integer) = "SELECT state, count(*) FROM jobs GROUP BY state"
}

/// What a backup has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The size of the copy.
    pub bytes: u64,
    /// Its jobs.
    pub jobs: StateCounts,
    /// Whether the copy says of itself that it is one. Tables from before there were epochs cannot.
    pub is_marked: bool,
}

/// Why there is no backup. Nothing was left behind.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is there already; it may be replaced where that is wanted.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The copy would take the place of the database or of what belongs to it.
    #[error("{} belongs to the database itself", .0.display())]
    OwnFile(PathBuf),
    /// A log lies where the copy's own would: SQLite would write it into the copy.
    #[error("{} belongs to another database file: move it away first", .0.display())]
    ForeignLog(PathBuf),
    /// Another backup writes the same file at this moment.
    #[error("another backup is writing {}", .0.display())]
    Busy(PathBuf),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be used.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database cannot be copied, or the disk is full.
    #[error("cannot copy {}: {why}", database.display())]
    Failed {
        /// Which.
        database: PathBuf,
        /// Why.
        why: String,
    },
}

impl BackupError {
    /// Whether the files that were named do not do, and not what is in them.
    pub fn is_misuse(&self) -> bool {
        matches!(self, Self::Exists(_) | Self::OwnFile(_) | Self::ForeignLog(_))
    }
}

/// Copies a database to `file`, which is there only once it is whole and on disk.
///
/// # Errors
/// Where the file may not be written, or the database cannot be read.
pub fn back_up(
    database: &Path,
    file: &Path,
    replace: bool,
    now: Timestamp,
) -> Result<Backup, BackupError> {
    let failed =
        |why: &dyn Display| BackupError::Failed { database: database.into(), why: why.to_string() };
    let mut source = open::read_only(database)?;
    check_target(database, file, replace)?;
    let partial = Partial::create(database, file)?;
    let copying = CopyInto { file: partial.name() }.execute(&mut source);
    copying.map_err(|error| failed(&StoreError::from(Failure::from(error))))?;
    drop(source);
    let backup = complete(partial.path(), now).map_err(|why| failed(&why))?;
    // Somebody may have made it meanwhile.
    check_target(database, file, replace)?;
    partial.become_file(file)?;
    Ok(backup)
}

/// Whether a copy may stand there.
fn check_target(database: &Path, file: &Path, replace: bool) -> Result<(), BackupError> {
    if is_part_of(database, file) {
        return Err(BackupError::OwnFile(file.into()));
    }
    if let Some(log) = foreign_log::leftover(file) {
        return Err(BackupError::ForeignLog(log));
    }
    if file.exists() && !replace {
        return Err(BackupError::Exists(file.into()));
    }
    Ok(())
}

/// Whether a file is the database, its log or its lock, under whatever name.
fn is_part_of(database: &Path, file: &Path) -> bool {
    let Ok(file) = partial::true_path(file) else { return false };
    let Ok(database) = std::fs::canonicalize(database) else { return false };
    let parts = ["", "-wal", "-shm", "-journal", ".lock"];
    let mut parts = parts.into_iter().map(|suffix| foreign_log::with_suffix(&database, suffix));
    parts.any(|part| part == file || partial::is_same_file(&part, &file))
}

/// Has the copy say that it is one, and looks whether it is whole.
fn complete(copy: &Path, now: Timestamp) -> Result<Backup, String> {
    let told = |error: diesel::result::Error| StoreError::from(Failure::from(error)).to_string();
    let mut connection = open::as_it_is(copy).map_err(|error| error.to_string())?;
    // Nothing lies beside it while it is written: where that fails it is thrown away.
    connection.batch_execute("PRAGMA journal_mode = MEMORY").map_err(told)?;
    let is_marked = epoch::is_there(&mut connection).map_err(told)?;
    if is_marked {
        epoch::mark_copy(&mut connection, now).map_err(told)?;
    }
    let damage: Option<String> =
        QuickCheck {}.get_result(&mut connection).optional().map_err(told)?;
    if let Some(damage) = damage {
        return Err(format!("the copy is damaged, and so is the database: {damage}"));
    }
    let jobs = count_jobs(&mut connection).map_err(|error| error.to_string())?;
    drop(connection);
    let bytes = std::fs::metadata(copy).map_err(|error| error.to_string())?.len();
    Ok(Backup { bytes, jobs, is_marked })
}

fn count_jobs(connection: &mut SqliteConnection) -> Result<StateCounts, StoreError> {
    let rows: Vec<(i64, i64)> = JobsByState {}.load(connection).map_err(Failure::from)?;
    let mut counts = StateCounts::default();
    for (state, jobs) in rows {
        *counts.of(state_of(state)?) = jobs;
    }
    Ok(counts)
}
