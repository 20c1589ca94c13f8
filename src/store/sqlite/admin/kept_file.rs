//! The descriptor of a database file that a server keeps open as long as it has connections to it.
//!
//! POSIX drops all locks of a process on a file when the process closes any descriptor of that file
//! (fcntl(2)). SQLite knows this and closes its own descriptors late, but it cannot know of others. If
//! this program closed one, SQLite's locks would be gone, and another program could delete the log of a
//! database that is in use. So a file that a server uses is opened once, all parts of the process
//! share that descriptor, and it is closed after the last connection.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::header::Header;

/// Permissions of the files of a database, whatever the umask is: only the owner may read and write.
pub(super) const PRIVATE: u32 = 0o600;

/// The kept files of this process.
static KEPT: Mutex<Vec<Weak<KeptFile>>> = Mutex::new(Vec::new());

/// Identity of a file: the numbers of its device and of its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl From<&fs::Metadata> for FileId {
    fn from(file: &fs::Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

impl From<rustix::fs::Stat> for FileId {
    fn from(file: rustix::fs::Stat) -> Self {
        Self { device: file.st_dev as _, inode: file.st_ino as _ }
    }
}

/// A database file that is kept open.
#[derive(Debug)]
pub(crate) struct KeptFile {
    file: File,
    id: FileId,
    /// Whether a server of this process holds the lock. Locks of `flock` belong to the descriptor, so
    /// the system does not keep two servers of one process apart.
    is_locked: AtomicBool,
}

impl KeptFile {
    /// Opens a database file, and creates it if it does not exist.
    pub(super) fn open_or_create(path: &Path) -> io::Result<Arc<Self>> {
        let mut kept = kept_files();
        if let Some(file) = find(&kept, path) {
            return Ok(file);
        }
        let file = open_private(path)?;
        let id = FileId::from(&file.metadata()?);
        let file = Arc::new(Self { file, id, is_locked: AtomicBool::new(false) });
        kept.retain(|file| file.strong_count() > 0);
        kept.push(Arc::downgrade(&file));
        Ok(file)
    }

    /// Returns the file at `path`, if a server of this process uses it.
    pub(super) fn find(path: &Path) -> Option<Arc<Self>> {
        find(&kept_files(), path)
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    pub(super) fn header(&self) -> io::Result<Header> {
        Header::read(&self.file)
    }

    /// Locks the file with `flock`, if that does not collide with SQLite's own locks.
    pub(super) fn try_lock(&self) -> Result<(), TryLockError> {
        if self.is_locked.swap(true, Ordering::SeqCst) {
            return Err(TryLockError::WouldBlock);
        }
        if !has_separate_locks(&self.file) {
            return Ok(());
        }
        self.file.try_lock().inspect_err(|_| self.is_locked.store(false, Ordering::SeqCst))
    }

    /// Releases the lock. The descriptor stays open.
    pub(super) fn unlock(&self) {
        // An error means that there was no lock.
        let _ = self.file.unlock();
        self.is_locked.store(false, Ordering::SeqCst);
    }
}

fn kept_files() -> MutexGuard<'static, Vec<Weak<KeptFile>>> {
    // The list is valid after each statement, so a poisoned lock is safe to use.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(kept: &[Weak<KeptFile>], path: &Path) -> Option<Arc<KeptFile>> {
    let id = FileId::from(&fs::metadata(path).ok()?);
    kept.iter().filter_map(Weak::upgrade).find(|file| file.id == id)
}

/// Reads the header of a database file. Does not open a file that a server of this process uses.
pub(super) fn read_header(path: &Path) -> io::Result<Header> {
    let kept = kept_files();
    match find(&kept, path) {
        Some(file) => file.header(),
        None => Header::read(&File::open(path)?),
    }
}

/// Opens a file for reading and writing. Creates it with the permissions [`PRIVATE`] if necessary.
fn open_private(path: &Path) -> io::Result<File> {
    let options = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).truncate(false).mode(PRIVATE);
        options
    };
    match options().create_new(true).open(path) {
        Ok(file) => {
            // The umask may have taken permissions from the owner.
            file.set_permissions(fs::Permissions::from_mode(PRIVATE))?;
            Ok(file)
        }
        // The file exists, or the path is a symbolic link, whose target may have to be created.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options().create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Returns whether locks of `flock` and of `fcntl`, which SQLite uses, do not see each other.
///
/// This is so on Linux (flock(2)), except on network filesystems, which turn one kind into the other.
#[cfg(target_os = "linux")]
fn has_separate_locks(file: &File) -> bool {
    /// Numbers of NFS, CIFS, SMB 2 and 9P (statfs(2)).
    const NETWORK_FILESYSTEMS: [u32; 4] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997];
    rustix::fs::fstatfs(file).is_ok_and(|filesystem| {
        let number = filesystem.f_type as u32;
        !NETWORK_FILESYSTEMS.contains(&number)
    })
}

#[cfg(not(target_os = "linux"))]
fn has_separate_locks(_: &File) -> bool {
    false
}
