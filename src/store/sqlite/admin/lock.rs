//! The locks that keep a second server from a database.
//!
//! There are two. The lock file `NAME.lock` says who holds it, but an operator can delete it. The lock
//! on the database file itself follows the file, whatever path leads to it.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustix::fs::OFlags;

use super::foreign_log::with_suffix;
use super::kept_file::{FileId, KeptFile, PRIVATE};
use super::location::describe;
use crate::clock::Clock;
use crate::job::Timestamp;
use crate::store::OpenError;

/// Maximum number of bytes that are read from a lock file.
const MAX_HOLDER_BYTES: usize = 100;

/// The locks on a database, held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    database: Arc<KeptFile>,
    lock_file: File,
}

impl Lock {
    /// Locks a database. `path` must have no symbolic links, so that each link leads to the same lock.
    pub(super) fn acquire(path: &Path, database: Arc<KeptFile>) -> Result<Self, OpenError> {
        let lock_path = with_suffix(path, ".lock");
        let failed = |error| OpenError::Lock { path: lock_path.clone(), error };
        let lock_file = open_lock_file(&lock_path).map_err(failed)?;
        match lock_file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(in_use(path, &HeldLock::File(lock_path, Holder::read(&lock_file))));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        match database.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(in_use(path, &HeldLock::Database(lock_path)));
            }
            Err(TryLockError::Error(error)) => {
                return Err(OpenError::Lock { path: path.into(), error });
            }
        }
        // From here on, dropping this releases both locks.
        let lock = Self { database, lock_file };
        // It is only for people; on a full disk the file stays empty.
        let _ = Holder::current().write(&lock.lock_file);
        Ok(lock)
    }

    pub(super) fn database(&self) -> &Arc<KeptFile> {
        &self.database
    }

    /// Returns the identity of the lock file.
    pub(super) fn file_id(&self) -> io::Result<FileId> {
        Ok(FileId::from(&self.lock_file.metadata()?))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Read connections may keep the descriptor open for longer.
        self.database.unlock();
    }
}

/// Opens a lock file, and creates it if it does not exist. Follows no link, because it is written to.
fn open_lock_file(path: &Path) -> io::Result<File> {
    if let Ok(found) = fs::symlink_metadata(path)
        && !found.is_file()
    {
        let kind = describe(found.file_type());
        return Err(io::Error::other(format!("it is {kind}, and must be a regular file")));
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false).mode(PRIVATE).custom_flags(flags);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // The umask may have taken permissions from the owner.
            file.set_permissions(fs::Permissions::from_mode(PRIVATE))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

fn in_use(path: &Path, held: &HeldLock) -> OpenError {
    OpenError::InUse { path: path.display().to_string(), held: held.to_string() }
}

/// The lock that another process holds.
enum HeldLock {
    /// The lock file, with its holder.
    File(PathBuf, Option<Holder>),
    /// The database file. The lock file, at this path, is not the one of the other process.
    Database(PathBuf),
}

impl fmt::Display for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some(holder)) => {
                let Holder { pid, started_at } = holder;
                write!(
                    f,
                    "process {pid}, which started at {started_at}, holds the lock on {}",
                    path.display()
                )
            }
            Self::File(path, None) => write!(f, "it holds the lock on {}", path.display()),
            Self::Database(path) => {
                let path = path.display();
                write!(f, "it holds the lock on the file itself, and its {path} was deleted")
            }
        }
    }
}

/// The process that holds a lock file, as written in the file: `1234 2030-01-31T08:00:00Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    pid: u32,
    started_at: Timestamp,
}

impl Holder {
    fn current() -> Self {
        Self { pid: std::process::id(), started_at: Clock::system().now() }
    }

    fn write(&self, file: &File) -> io::Result<()> {
        file.set_len(0)?;
        file.write_all_at(format!("{} {}\n", self.pid, self.started_at).as_bytes(), 0)
    }

    /// Returns the holder. Returns `None` if the file says none, as that of an older version.
    fn read(file: &File) -> Option<Self> {
        let mut bytes = [0; MAX_HOLDER_BYTES];
        let length = file.read_at(&mut bytes, 0).ok()?;
        std::str::from_utf8(bytes.get(..length)?).ok()?.parse().ok()
    }
}

/// Error for a text that names no holder.
#[derive(Debug, PartialEq, Eq)]
struct NoHolder;

impl FromStr for Holder {
    type Err = NoHolder;

    fn from_str(text: &str) -> Result<Self, NoHolder> {
        let (pid, started_at) = text.trim_end().split_once(' ').ok_or(NoHolder)?;
        match (pid.parse(), started_at.parse()) {
            (Ok(pid), Ok(started_at)) => Ok(Self { pid, started_at }),
            _ => Err(NoHolder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_read_from_the_lock_file_as_it_was_written() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Holder::read(&file), None);
        file.write_all_at(&[b'9'; 200], 0).unwrap();
        assert_eq!(Holder::read(&file), None);
        let holder = Holder::current();
        holder.write(&file).unwrap();
        assert_eq!(Holder::read(&file), Some(holder));
    }

    #[test]
    fn a_lock_file_that_names_no_holder_is_not_quoted() {
        for text in ["", "12", "12 now", "\u{1b}[31m 2030-01-31T08:00:00Z", "-1 2030-01-31T08:00:00Z"] {
            assert_eq!(text.parse::<Holder>(), Err(NoHolder), "{text:?}");
        }
    }
}
