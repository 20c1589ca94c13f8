//! The locks on a database: what they report, and what happens to them.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::{Signal, kill_process};

use super::{assert_refused, beside};
use crate::kit::{Server, Setup, echo};

#[test]
fn the_refusal_of_a_second_server_names_the_first_one_and_when_it_started() {
    let server = Server::start();
    let lock = fs::read_to_string(beside(server.database(), ".lock")).unwrap();
    let (pid, started_at) = lock.trim_end().split_once(' ').unwrap();
    assert_eq!(pid, server.pid().as_raw_nonzero().to_string());
    let error = assert_refused(&Setup::new().database(server.database()), 1);
    let holder = format!("process {pid}, which started at {started_at}, holds the lock on");
    assert!(error.contains(&holder) && error.contains("do not delete the lock file"), "{error}");
}

#[test]
fn the_lock_file_of_a_killed_server_is_taken_over() {
    let mut server = Server::start();
    server.kill();
    server.restart();
    let lock = fs::read_to_string(beside(server.database(), ".lock")).unwrap();
    assert!(lock.starts_with(&format!("{} ", server.pid().as_raw_nonzero())), "{lock}");
}

#[test]
fn a_second_server_is_refused_although_the_lock_file_was_deleted() {
    let mut server = Server::start();
    // A server that is stopped cannot notice it.
    server.freeze();
    let lock = beside(server.database(), ".lock");
    for replacement in [None, Some("999999 2030-01-31T08:00:00Z")] {
        fs::remove_file(&lock).unwrap();
        if let Some(text) = replacement {
            fs::write(&lock, text).unwrap();
        }
        let error = assert_refused(&Setup::new().database(server.database()), 1);
        assert!(error.contains("holds the lock on the file itself"), "{error}");
    }
    kill_process(server.pid(), Signal::CONT).unwrap();
    assert_eq!(server.wait_for_exit().code(), Some(1));
    let log = server.log();
    assert!(log.contains("ERROR") && log.contains(".lock was deleted, moved or replaced"), "{log}");
    server.restart();
}

#[test]
fn a_lock_file_that_is_a_link_is_refused_and_its_target_unchanged() {
    let setup = Setup::new();
    let (target, database) =
        (setup.directory().join("other"), setup.directory().join("longshore.db"));
    fs::write(&target, "of another program").unwrap();
    symlink(&target, beside(&database, ".lock")).unwrap();
    let error = assert_refused(&setup, 1);
    assert!(error.contains(".lock: it is a symbolic link"), "{error}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "of another program");
    fs::remove_file(beside(&database, ".lock")).unwrap();
    fs::create_dir(beside(&database, ".lock")).unwrap();
    assert!(assert_refused(&setup, 1).contains(".lock: it is a directory"));
}

#[test]
fn a_backup_and_a_verification_beside_a_server_keep_its_locks() {
    let server = Server::start();
    server.run(&echo(1));
    let locks = || {
        let pid = format!(" {} ", server.pid().as_raw_nonzero());
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().filter(|lock| lock.contains(&pid)).count()
    };
    let before = locks();
    assert!(before >= 3, "one of SQLite on the database, and two of flock");
    for arguments in [&["backup", "--database"][..], &["verify"]] {
        let mut command = crate::kit::process::longshore(arguments);
        command.arg(server.database());
        if arguments[0] == "backup" {
            command.arg(server.directory().join("copy.db"));
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(locks() >= before);
    }
    assert_refused(&Setup::new().database(server.database()), 1);
}
