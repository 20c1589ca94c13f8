//! The temporary file that a backup writes until it is complete.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::store::OpenError;
use crate::store::sqlite::admin::foreign_log::with_suffix;

/// Temporary file `<target>.partial` of a backup.
///
/// It is deleted when this is dropped, unless it was published as the target. If a backup is killed its
/// file remains, and the next backup overwrites it.
pub(super) struct PartialFile {
    path: PathBuf,
    /// The path as SQLite needs it: UTF-8 and absolute, so that it is not read as a URI.
    name: String,
    /// Holds a lock, so that two backups do not write to the same file.
    file: File,
    is_published: bool,
}

impl PartialFile {
    /// Creates and locks the temporary file of `target`, with the permissions of `database`.
    pub(super) fn create(database: &Path, target: &Path) -> Result<Self, BackupError> {
        let target = resolve(target).map_err(unusable(target))?;
        let path = with_suffix(&target, ".partial");
        let name = path.to_str().ok_or_else(|| OpenError::BadPath(path.clone()))?.to_owned();
        let options = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = options.map_err(unusable(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(path)),
            Err(TryLockError::Error(error)) => return Err(unusable(&path)(error)),
        }
        // Another backup may have renamed the file between opening and locking it.
        if !is_open_at(&file, &path).map_err(unusable(&path))? {
            return Err(BackupError::Busy(path));
        }
        let partial = Self { path, name, file, is_published: false };
        let permissions = fs::metadata(database).map(|database| database.permissions());
        let set = permissions.and_then(|permissions| partial.file.set_permissions(permissions));
        // VACUUM INTO requires that the file is empty.
        set.and_then(|()| partial.file.set_len(0)).map_err(unusable(&partial.path))?;
        Ok(partial)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Syncs the file to disk and renames it to the target.
    pub(super) fn publish(mut self, target: &Path) -> Result<(), BackupError> {
        let target = resolve(target).map_err(unusable(target))?;
        self.file.sync_all().map_err(unusable(&self.path))?;
        fs::rename(&self.path, &target).map_err(unusable(&target))?;
        self.is_published = true;
        let directory = target.parent().unwrap_or(Path::new("/"));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(unusable(directory))
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_published {
            // If this fails, the next backup overwrites the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |error| BackupError::Io { path: path.into(), error }
}

/// Returns the path of a file with all links resolved, even if the file itself does not exist.
pub(super) fn resolve(file: &Path) -> io::Result<PathBuf> {
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

/// Returns whether two paths lead to the same existing file.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// Returns whether `path` still leads to the open file.
fn is_open_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
