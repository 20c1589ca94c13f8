//! A Unix socket that listens, and its file.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use rustix::net::{bind, connect, listen, socket_with};

use super::{BACKLOG, SEND_BUFFER_BYTES};

/// Ending of the name under which a socket is created.
const NEW: &str = ".new";

/// A Unix socket that listens.
#[derive(Debug)]
pub(in crate::http::connection) struct UnixSocket {
    pub(in crate::http::connection) listener: UnixListener,
    pub(in crate::http::connection) file: Arc<SocketFile>,
}

/// The file of a Unix socket, which is removed when this value is dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl UnixSocket {
    /// Listens on a path, in place of a socket on which nobody listens.
    ///
    /// The socket is created under another name, gets its mode, listens, and is renamed then. So no client
    /// finds a socket that refuses it or that has another mode.
    pub(super) fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        refuse_used(path)?;
        let new = with_ending(path);
        // Left over from a server that was killed in the middle of this function.
        if is_socket(&new) {
            fs::remove_file(&new)?;
        }
        let listener = create(&new, mode)?;
        let file = SocketFile { path: path.into(), identity: identity(&new)? };
        fs::rename(&new, path)?;
        Ok(Self { listener, file: Arc::new(file) })
    }
}

impl SocketFile {
    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, unless another server has replaced it.
    pub fn remove(&self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // Fails if the directory has become read-only; the next server replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Creates a socket with its mode, and listens on it.
fn create(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let socket = new_socket(SocketFlags::CLOEXEC)?;
    // On Linux the file gets at most the permissions that the socket has before; other systems refuse this.
    let _ = fchmod(&socket, Mode::RUSR | Mode::WUSR);
    sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER_BYTES as usize)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    listen(&socket, i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    Ok(UnixListener::from(socket))
}

fn new_socket(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Fails if the path is in use: by another kind of file, or by a socket on which a server listens.
fn refuse_used(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let why =
            "the path is in use by a file that is not a socket; remove it, or use another path";
        return Err(io::Error::new(ErrorKind::AlreadyExists, why));
    }
    // Without waiting: a server that is too busy to accept is there as well.
    let socket = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => {
            let why = "another server listens on this socket; stop it, or use another path";
            Err(io::Error::new(ErrorKind::AddrInUse, why))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    fs::symlink_metadata(path).map(identity)
}

fn with_ending(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(NEW);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_socket_has_its_mode_and_is_removed_with_its_last_owner() {
        let directory = tempfile::tempdir().unwrap();
        for wanted in [0o600, 0o660, 0o777] {
            let path = directory.path().join("a.sock");
            let socket = UnixSocket::bind(&path, wanted).unwrap();
            assert_eq!(mode(&path), wanted);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
            let file = Arc::clone(&socket.file);
            drop(socket);
            assert!(path.exists());
            drop(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        // A listener does not remove its file.
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(with_ending(&path)).unwrap());
        let socket = UnixSocket::bind(&path, 0o600).unwrap();
        let error = UnixSocket::bind(&path, 0o600).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(socket);
    }

    #[test]
    fn a_server_that_does_not_accept_keeps_its_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let busy = new_socket(SocketFlags::CLOEXEC).unwrap();
        bind(&busy, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&busy, 0).unwrap();
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let client = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).unwrap();
            let _ = connect(&client, &SocketAddrUnix::new(&path).unwrap());
            waiting.push(client);
        }
        assert_eq!(UnixSocket::bind(&path, 0o600).unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn another_kind_of_file_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(directory.path().join("none"), &link).unwrap();
        for path in [&file, &link, &directory.path().join(".")] {
            let error = UnixSocket::bind(path, 0o600).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{}: {error}", path.display());
        }
        assert_eq!(fs::read(&file).unwrap(), b"x");
    }

    #[test]
    fn the_socket_of_a_later_server_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let socket = UnixSocket::bind(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        let later = UnixSocket::bind(&path, 0o600).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(later);
        assert!(!path.exists());
    }
}
