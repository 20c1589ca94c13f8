//! Rules for the place of a database: a regular file with one name in a directory of its own.
//!
//! SQLite keeps the write-ahead log beside the database, by its name. A file with two names (hard
//! links), or one that is mounted alone, would have its log beside only one of them, or on another disk.

use std::fs::{self, FileType};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::foreign_log::with_suffix;
use crate::store::OpenError;

/// List of the mounts of this process (proc(5)).
const MOUNTS: &str = "/proc/self/mountinfo";

/// Names of the files of a database, as suffixes of its path: the database itself, its log, the index
/// of the log, and the lock.
pub(super) const FILES: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// Refuses a path that leads to something other than a regular file. Opening a FIFO would block.
pub(super) fn refuse_special_file(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let kind = describe(found.file_type());
            Err(OpenError::NotAFile { path: path.into(), kind })
        }
        // An error is reported when the file is opened.
        _ => Ok(()),
    }
}

/// Describes a file that is not a regular one.
pub(super) fn describe(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_symlink() => "a symbolic link",
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Refuses a database whose log may be somewhere else. `path` must have no symbolic links.
pub(super) fn refuse_second_place(path: &Path) -> Result<(), OpenError> {
    let failed = |error: io::Error| OpenError::failed(path, &error);
    let names = fs::metadata(path).map_err(failed)?.nlink();
    if names > 1 {
        return Err(OpenError::HardLinks { path: path.into(), names });
    }
    if is_mount_point(path) {
        return Err(OpenError::MountPoint(path.into()));
    }
    Ok(())
}

fn is_mount_point(path: &Path) -> bool {
    // Without the list, as on other systems, the file is taken as an ordinary one.
    fs::read(MOUNTS).is_ok_and(|mounts| lists_mount_point(&mounts, path))
}

/// Returns whether the list of mounts has this path. The mount point is the fifth field of a line.
fn lists_mount_point(mounts: &[u8], path: &Path) -> bool {
    let wanted = escaped(path.as_os_str().as_bytes());
    let mut lines = mounts.split(|byte| *byte == b'\n');
    lines.any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&wanted))
}

/// Escapes a path as the kernel does in lists of mounts.
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b' ' => escaped.extend(b"\\040"),
            b'\t' => escaped.extend(b"\\011"),
            b'\n' => escaped.extend(b"\\012"),
            b'\\' => escaped.extend(b"\\134"),
            _ => escaped.push(*byte),
        }
    }
    escaped
}

/// Warns the operator of the files of a database that other users may read or write.
pub(super) fn warn_of_shared_files(database: &Path) {
    let files = FILES.into_iter().map(|suffix| with_suffix(database, suffix));
    let shared: Vec<PathBuf> = files.filter(|file| is_shared(file)).collect();
    if !shared.is_empty() {
        let shared = shared.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        let command = format!("chmod 600 {}", shared.join(" "));
        tracing::warn!(
            command,
            "other users can open files of the database; this command makes them private"
        );
    }
}

fn is_shared(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"63 43 254:0 / /data rw,relatime - ext4 /dev/vda rw\n\
        64 63 254:0 /my\\040jobs.db /data/my\\040jobs.db rw,relatime - ext4 /dev/vda rw\n";

    #[test]
    fn a_mount_point_is_found_by_its_whole_path() {
        let is_listed = |path: &str| lists_mount_point(LIST, Path::new(path));
        assert!(is_listed("/data/my jobs.db") && is_listed("/data"));
        assert!(!is_listed("/data/my") && !is_listed("/my jobs.db") && !is_listed("/data/jobs.db"));
    }

    #[test]
    fn a_path_is_escaped_as_in_the_list_of_mounts() {
        assert_eq!(escaped(b"/a b\tc\nd\\e"), b"/a\\040b\\011c\\012d\\134e");
    }
}
