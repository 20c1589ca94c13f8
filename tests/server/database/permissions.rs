//! Permissions of the database's files and of backups, and the files that a backup may write.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::beside;
use crate::kit::process::longshore;
use crate::kit::wrapper::wrapped;
use crate::kit::{Server, Setup, echo};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Backs up a database in a process with this umask.
fn back_up(umask: &str, database: &Path, file: &Path, options: &[&str]) -> Output {
    let mut command = longshore(&["backup", "--database"]);
    command.arg(database).arg(file).args(options);
    let shell = format!("umask {umask} && exec \"$0\" \"$@\"");
    wrapped(command, &["sh".into(), "-c".into(), shell]).output().unwrap()
}

#[test]
fn the_files_of_a_database_and_its_backups_are_private_whatever_the_umask_is() {
    for umask in ["000", "022", "077", "777"] {
        let server = Setup::new().after(&format!("umask {umask}")).start();
        server.run(&echo(1));
        for suffix in ["", "-wal", "-shm", ".lock"] {
            let file = beside(server.database(), suffix);
            assert_eq!(mode(&file), 0o600, "{} with umask {umask}", file.display());
        }
        assert!(!server.log().contains("WARN"), "{}", server.log());
        // The permissions of the copy do not follow those of the database.
        fs::set_permissions(server.database(), Permissions::from_mode(0o644)).unwrap();
        let copy = server.directory().join("copy.db");
        let output = back_up(umask, server.database(), &copy, &[]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(mode(&copy), 0o600, "with umask {umask}");
    }
}

#[test]
fn files_that_other_users_can_open_are_reported_at_the_start() {
    let mut server = Server::start();
    server.kill();
    for suffix in ["", ".lock"] {
        let file = beside(server.database(), suffix);
        fs::set_permissions(file, Permissions::from_mode(0o640)).unwrap();
    }
    server.restart();
    let log = server.log();
    let database = server.database().display();
    assert!(log.contains("WARN") && log.contains(&format!("chmod 600 {database}")), "{log}");
    assert!(log.contains(&format!("{database}.lock")), "{log}");
    assert_eq!(log.matches("chmod").count(), 1, "{log}");
}

#[test]
fn a_backup_never_replaces_anything_but_a_regular_file() {
    let server = Server::start();
    let path = |name: &str| server.directory().join(name);
    fs::create_dir(path("directory")).unwrap();
    mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    fs::write(path("victim"), "of another user").unwrap();
    symlink(path("victim"), path("link")).unwrap();
    symlink(path("nowhere"), path("dangling")).unwrap();
    let mut kinds = vec![
        ("directory", "a directory"),
        ("fifo", "a FIFO"),
        ("socket", "a socket"),
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
    ];
    // Only root may create a device.
    let null = mknodat(CWD, path("null"), FileType::CharacterDevice, Mode::RWXU, makedev(1, 3));
    kinds.extend(null.ok().map(|()| ("null", "a device")));
    for (name, kind) in &kinds {
        for options in [&[][..], &["--force"]] {
            let output = back_up("022", server.database(), &path(name), options);
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{error}");
            assert!(error.contains(&format!("{name} is {kind}")), "{error}");
        }
    }
    assert!(fs::metadata(path("fifo")).unwrap().file_type().is_fifo());
    assert_eq!(fs::read_to_string(path("victim")).unwrap(), "of another user");
    assert!(!path("nowhere").exists());
}

#[test]
fn a_backup_follows_no_link_that_waits_at_its_temporary_name() {
    let server = Server::start();
    server.run(&echo(1));
    let (copy, victim) = (server.directory().join("copy.db"), server.directory().join("victim"));
    fs::write(&victim, "of another user").unwrap();
    let planted = beside(&copy, ".partial");
    let leftover = beside(&copy, ".abcDEF123456.partial");
    for trap in [&planted, &leftover] {
        symlink(&victim, trap).unwrap();
        let output = back_up("022", server.database(), &copy, &["--force"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "of another user");
        assert!(fs::symlink_metadata(trap).unwrap().is_symlink());
        fs::remove_file(trap).unwrap();
        // A FIFO would block whoever opens it.
        mknodat(CWD, trap, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let output = back_up("022", server.database(), &copy, &["--force"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(fs::metadata(trap).unwrap().file_type().is_fifo());
    }
    // A regular file with such a name is that of a killed backup.
    fs::remove_file(&leftover).unwrap();
    fs::write(&leftover, "half a copy").unwrap();
    let locked = fs::File::open(&leftover).unwrap();
    locked.lock().unwrap();
    assert_eq!(back_up("022", server.database(), &copy, &["--force"]).status.code(), Some(0));
    assert!(leftover.exists(), "it belongs to a backup that is running");
    drop(locked);
    assert_eq!(back_up("022", server.database(), &copy, &["--force"]).status.code(), Some(0));
    assert!(!leftover.exists());
}
