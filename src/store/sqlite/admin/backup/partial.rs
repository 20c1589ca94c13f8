//! The temporary file that a backup writes until it is complete.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use tempfile::NamedTempFile;

use super::BackupError;
use crate::store::OpenError;
use crate::store::sqlite::admin::kept_file::{FileId, PRIVATE};

/// End of the name of a temporary file.
const SUFFIX: &str = ".partial";
/// Number of random letters and digits in its name.
const RANDOM_CHARS: usize = 12;
/// Maximum number of files that a backup creates until one is its own.
const MAX_TRIES: usize = 10;

/// Temporary file `<target>.<random>.partial` of a backup.
///
/// The random name and `O_EXCL` make sure that it is a new file, and no link that another user put
/// there. It is deleted when this is dropped, unless it was published as the target. If a backup is
/// killed its file remains, and the next backup to the same target deletes it.
pub(super) struct PartialFile {
    /// Holds a lock, which shows other backups that the file is in use.
    file: NamedTempFile,
    /// The path as SQLite needs it: UTF-8 and absolute, so that it is not read as a URI.
    name: String,
    target: PathBuf,
}

impl PartialFile {
    /// Creates and locks the temporary file of `target`.
    pub(super) fn create(target: &Path) -> Result<Self, BackupError> {
        let target = resolve(target).map_err(unusable(target))?;
        let (directory, prefix) = split(&target).map_err(unusable(&target))?;
        remove_leftovers(directory, &prefix);
        // Between its creation and the lock, another backup may take a file for a leftover.
        for _ in 1..MAX_TRIES {
            match Self::create_once(&target, directory, &prefix) {
                Err(BackupError::Replaced(_)) => {}
                created => return created,
            }
        }
        Self::create_once(&target, directory, &prefix)
    }

    /// Creates and locks a temporary file.
    ///
    /// # Errors
    /// Returns [`BackupError::Replaced`] if another backup has removed it before the lock.
    fn create_once(target: &Path, directory: &Path, prefix: &OsStr) -> Result<Self, BackupError> {
        let file = tempfile::Builder::new()
            .prefix(prefix)
            .suffix(SUFFIX)
            .rand_bytes(RANDOM_CHARS)
            .tempfile_in(directory)
            .map_err(unusable(target))?;
        let path = file.path().to_owned();
        let name = path.to_str().ok_or_else(|| OpenError::BadPath(path.clone()))?.to_owned();
        // The umask may have taken permissions from the owner.
        let private = file.as_file().set_permissions(Permissions::from_mode(PRIVATE));
        private.and_then(|()| file.as_file().lock()).map_err(unusable(&path))?;
        let partial = Self { file, name, target: target.into() };
        partial.check_in_place()?;
        Ok(partial)
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Syncs the file to disk and renames it to the target. Replaces an existing target only if
    /// `replace` is true.
    pub(super) fn publish(self, replace: bool) -> Result<(), BackupError> {
        self.check_in_place()?;
        let Self { file, target, .. } = self;
        file.as_file().sync_all().map_err(unusable(file.path()))?;
        let renamed =
            if replace { file.persist(&target) } else { file.persist_noclobber(&target) };
        renamed.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(target.clone()),
            _ => unusable(&target)(error.error),
        })?;
        let directory = target.parent().unwrap_or(Path::new("/"));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(unusable(directory))
    }

    /// Checks that nobody has replaced the file: SQLite opens it by its path.
    fn check_in_place(&self) -> Result<(), BackupError> {
        let path = self.file.path();
        match is_open_at(self.file.as_file(), path) {
            Ok(true) => Ok(()),
            Ok(false) => Err(BackupError::Replaced(path.into())),
            Err(error) => Err(unusable(path)(error)),
        }
    }
}

/// Splits a target into its directory, and the beginning of the names of its temporary files.
fn split(target: &Path) -> io::Result<(&Path, OsString)> {
    match (target.parent(), target.file_name()) {
        (Some(directory), Some(name)) => {
            let mut prefix = name.to_owned();
            prefix.push(".");
            Ok((directory, prefix))
        }
        _ => Err(io::ErrorKind::IsADirectory.into()),
    }
}

/// Deletes the files of backups to the same target that were killed. A file that cannot be deleted stays.
fn remove_leftovers(directory: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.map_while(Result::ok) {
        if is_name_of_partial(&entry.file_name(), prefix) {
            let _ = remove_leftover(&entry.path());
        }
    }
}

/// Returns whether a name is that of a temporary file with this prefix.
fn is_name_of_partial(name: &OsStr, prefix: &OsStr) -> bool {
    let random = name
        .as_bytes()
        .strip_prefix(prefix.as_bytes())
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    random.is_some_and(|random| {
        random.len() == RANDOM_CHARS && random.iter().all(u8::is_ascii_alphanumeric)
    })
}

/// Deletes a file that looks like that of a killed backup: a regular file of this user without a lock.
fn remove_leftover(path: &Path) -> io::Result<()> {
    let is_own = |found: &fs::Metadata| found.is_file() && found.uid() == geteuid().as_raw();
    if !is_own(&fs::symlink_metadata(path)?) {
        return Ok(());
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if is_own(&file.metadata()?) && file.try_lock().is_ok() && is_open_at(&file, path)? {
        fs::remove_file(path)?;
    }
    Ok(())
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
    let id = |path: &Path| fs::metadata(path).ok().as_ref().map(FileId::from);
    id(one).is_some_and(|one| Some(one) == id(other))
}

/// Returns whether `path` itself, and no link, leads to the open file.
fn is_open_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = FileId::from(&file.metadata()?);
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(FileId::from(&found) == open),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_the_random_part_of_a_backup_are_leftovers() {
        let is_leftover = |name: &str| is_name_of_partial(OsStr::new(name), OsStr::new("a.db."));
        assert!(is_leftover("a.db.abcDEF123456.partial"));
        for name in [
            "a.db.partial",
            "a.db.abcDEF12345.partial",
            "a.db.abcDEF12345/.partial",
            "b.a.db.abcDEF123456.partial",
            "a.db.abcDEF123456.partial.gz",
            "a.db.abcDEF123456",
        ] {
            assert!(!is_leftover(name), "{name}");
        }
    }
}
