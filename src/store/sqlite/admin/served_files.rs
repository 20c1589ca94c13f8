//! The files of a database that is served: their locks, and a check that they are still in their places.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::foreign_log::with_suffix;
use super::kept_file::FileId;
use super::location::FILES;
use super::lock::Lock;
use crate::store::{OpenError, StoreError};

/// The files of a database that is served. They are locked until this is dropped.
///
/// What is written to a file that was deleted or moved is lost to the next start, although SQLite
/// reports no error: it works on the open descriptor. So each path is compared with the file that is
/// open, after each transaction and before anyone is answered. The Keeper's duties write at least once a
/// second, so the comparison is made as often without other writes.
#[derive(Debug)]
pub(crate) struct ServedFiles {
    watched: Vec<WatchedFile>,
    _lock: Lock,
}

/// A file that must stay at its path.
#[derive(Debug)]
struct WatchedFile {
    path: PathBuf,
    /// The path as the system call needs it, because the comparison is made in each transaction.
    c_path: CString,
    id: FileId,
}

impl ServedFiles {
    /// Starts to watch the files of a database, whose log must be open. `path` is the configured path,
    /// `real_path` the same without symbolic links.
    pub(super) fn new(path: &Path, real_path: &Path, lock: Lock) -> Result<Self, OpenError> {
        let watched = watched_files(path, real_path, &lock);
        let watched = watched.map_err(|error| OpenError::failed(path, &error))?;
        let files = Self { watched, _lock: lock };
        files.check().map_err(|error| OpenError::failed(path, &error))?;
        Ok(files)
    }

    /// Checks that each path still leads to the file that is open.
    ///
    /// # Errors
    /// Returns [`StoreError::Moved`] if a file was deleted, moved or replaced.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.watched.iter().find(|file| !file.is_in_place()) {
            Some(file) => Err(StoreError::Moved(file.path.clone())),
            None => Ok(()),
        }
    }
}

impl WatchedFile {
    fn new(path: PathBuf, id: FileId) -> io::Result<Self> {
        let c_path = CString::new(path.as_os_str().as_bytes())?;
        Ok(Self { path, c_path, id })
    }

    fn is_in_place(&self) -> bool {
        match rustix::fs::stat(&self.c_path) {
            Ok(found) => FileId::from(found) == self.id,
            // Any other error says nothing about the file: a directory may be closed to this process for
            // a while, and the file is still in it.
            Err(error) => !matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP),
        }
    }
}

fn watched_files(path: &Path, real_path: &Path, lock: &Lock) -> io::Result<Vec<WatchedFile>> {
    let mut watched = Vec::new();
    let path = std::path::absolute(path)?;
    if path != real_path {
        // The next start follows the link again, which may then lead elsewhere.
        watched.push(WatchedFile::new(path, lock.database().id())?);
    }
    for suffix in FILES {
        let path = with_suffix(real_path, suffix);
        let id = match suffix {
            "" => lock.database().id(),
            ".lock" => lock.file_id()?,
            _ => FileId::from(&fs::metadata(&path)?),
        };
        watched.push(WatchedFile::new(path, id)?);
    }
    Ok(watched)
}
