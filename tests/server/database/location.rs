//! Databases with more than one name or place, and paths that lead to no regular file.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::assert_refused;
use crate::kit::{Server, Setup, echo, skip};

/// Returns whether this machine allows mounts in a namespace of their own; if not, the test is skipped.
fn may_mount() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let mount = Command::new("unshare")
        .args(["--mount", "mount", "--bind"])
        .args([directory.path(), directory.path()])
        .output();
    match mount {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            skip(&format!("bind mounts need root: {}", String::from_utf8_lossy(&output.stderr)));
            false
        }
        Err(error) => {
            skip(&format!("bind mounts need unshare: {error}"));
            false
        }
    }
}

/// Returns a server that sees `from` also at `to`.
fn mounted(setup: Setup, from: &Path, to: &Path) -> Setup {
    let mount = format!("mount --bind '{}' '{}'", from.display(), to.display());
    let run = format!("{mount} && exec \"$0\" \"$@\"");
    setup.wrapper(&["unshare", "--mount", "sh", "-c", &run])
}

#[test]
fn a_database_with_a_second_name_is_not_served() {
    let mut server = Server::start();
    let link = server.directory().join("link.db");
    fs::hard_link(server.database(), &link).unwrap();
    let error = assert_refused(&Setup::new().database(&link), 2);
    assert!(error.contains("link.db has 2 names (hard links)"), "{error}");
    assert!(!server.directory().join("link.db-wal").exists());
    server.run(&echo("still served"));
    server.kill();
    let error = server.try_restart().unwrap_err();
    assert!(error.contains("has 2 names"), "{error}");
    fs::remove_file(&link).unwrap();
    server.restart();
    assert_eq!(server.all_jobs().len(), 1);
}

#[test]
fn a_database_that_is_mounted_as_a_single_file_is_not_served() {
    if !may_mount() {
        return;
    }
    let server = Server::start();
    let setup = Setup::new();
    let mount_point = setup.directory().join("my jobs.db");
    fs::write(&mount_point, "").unwrap();
    let setup = mounted(setup, server.database(), &mount_point).database(&mount_point);
    let error = assert_refused(&setup, 2);
    assert!(error.contains("mounted as a single file") && error.contains("mount the directory"));
    server.run(&echo("still served"));
}

#[test]
fn a_database_in_a_mounted_directory_is_served_and_locked_under_both_paths() {
    if !may_mount() {
        return;
    }
    let setup = Setup::new();
    let (disk, place) = (setup.directory().join("disk"), setup.directory().join("place"));
    fs::create_dir(&disk).unwrap();
    fs::create_dir(&place).unwrap();
    let server = mounted(setup, &disk, &place).database(place.join("jobs.db")).start();
    server.run(&echo(1));
    assert!(disk.join("jobs.db-wal").exists());
    let error = assert_refused(&Setup::new().database(disk.join("jobs.db")), 1);
    assert!(error.contains("another process serves"), "{error}");
}

#[test]
fn a_path_that_leads_to_no_regular_file_is_refused_at_once() {
    let setup = Setup::new();
    let path = |name: &str| setup.directory().join(name);
    fs::create_dir(path("directory")).unwrap();
    mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    std::os::unix::fs::symlink(path("fifo"), path("link")).unwrap();
    let mut kinds = vec![
        ("directory", "a directory"),
        ("fifo", "a FIFO"),
        ("socket", "a socket"),
        ("link", "a FIFO"),
    ];
    // Only root may create a device.
    let null = mknodat(CWD, path("null"), FileType::CharacterDevice, Mode::RWXU, makedev(1, 3));
    kinds.extend(null.ok().map(|()| ("null", "a device")));
    for (name, kind) in kinds {
        let error = assert_refused(&Setup::new().database(path(name)), 2);
        assert!(error.contains(&format!("{name}: it is {kind}")), "{error}");
        let verify = crate::kit::process::longshore(&["verify"]).arg(path(name)).output().unwrap();
        assert_eq!(verify.status.code(), Some(2), "{verify:?}");
        assert!(!super::beside(&path(name), ".lock").exists());
    }
}

#[test]
fn a_link_to_a_database_that_does_not_exist_yet_creates_it() {
    let setup = Setup::new();
    let (real, link) = (setup.directory().join("real.db"), setup.directory().join("link.db"));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let server = setup.database(&link).start();
    server.run(&echo(1));
    assert!(super::beside(&real, "-wal").exists());
}
