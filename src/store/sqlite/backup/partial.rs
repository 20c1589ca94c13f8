//! The file that a copy is until it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::store::OpenError;
use crate::store::sqlite::foreign_log::with_suffix;

/// A copy that is being written, beside the file that it will be. It is removed where it does not
/// become that file; what a killed backup left is written over by the next.
pub(super) struct Partial {
    path: PathBuf,
    /// As SQLite takes it: UTF-8, and not to be read as a URI.
    name: String,
    /// Holds a lock, so that two backups do not write one file.
    file: File,
    is_kept: bool,
}

impl Partial {
    /// Begins one for a copy of `database` that will be `target`. Who may read it may read that.
    pub(super) fn create(database: &Path, target: &Path) -> Result<Self, BackupError> {
        let target = true_path(target).map_err(unusable(target))?;
        let path = with_suffix(&target, ".partial");
        let name = path.to_str().ok_or_else(|| OpenError::BadPath(path.clone()))?.to_owned();
        let options = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = options.map_err(unusable(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(path)),
            Err(TryLockError::Error(error)) => return Err(unusable(&path)(error)),
        }
        // Between the opening and the lock another backup may have made it the file itself.
        if !is_open_at(&file, &path).map_err(unusable(&path))? {
            return Err(BackupError::Busy(path));
        }
        let partial = Self { path, name, file, is_kept: false };
        let allowed = fs::metadata(database).map(|database| database.permissions());
        let set = allowed.and_then(|allowed| partial.file.set_permissions(allowed));
        // SQLite writes into an empty file only.
        set.and_then(|()| partial.file.set_len(0)).map_err(unusable(&partial.path))?;
        Ok(partial)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Brings it to the disk and gives it its name.
    pub(super) fn become_file(mut self, target: &Path) -> Result<(), BackupError> {
        let target = true_path(target).map_err(unusable(target))?;
        self.file.sync_all().map_err(unusable(&self.path))?;
        fs::rename(&self.path, &target).map_err(unusable(&target))?;
        self.is_kept = true;
        let directory = target.parent().unwrap_or(Path::new("/"));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(unusable(directory))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_kept {
            // Where that fails the next backup writes over it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |error| BackupError::Io { path: path.into(), error }
}

/// Where a file is or would be, without links.
pub(super) fn true_path(file: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = std::path::absolute(file)?;
            let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
                return Err(error);
            };
            Ok(fs::canonicalize(directory)?.join(name))
        }
        found => found,
    }
}

pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

fn is_open_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
