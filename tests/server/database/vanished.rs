//! Files of the database that are deleted, moved or replaced while they are in use.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use super::beside;
use crate::kit::{Connection, Server, Setup, echo};

/// Bound for a server to notice that a file is gone: ten times the interval of the comparison.
const TIME_TO_NOTICE: Duration = Duration::from_secs(10);
/// Number of submissions after a file has gone.
const SUBMISSIONS: u32 = 40;

/// What an operator does to the files of a database at a path.
struct Mishap {
    what: &'static str,
    /// Part of the name of the file that the log names.
    named: &'static str,
    act: fn(&Path),
}

const MISHAPS: [Mishap; 8] = [
    Mishap {
        what: "the database and its log are deleted",
        named: "jobs.db",
        act: |path| {
            fs::remove_file(path).unwrap();
            fs::remove_file(beside(path, "-wal")).unwrap();
        },
    },
    Mishap {
        what: "the database is deleted",
        named: "jobs.db",
        act: |path| fs::remove_file(path).unwrap(),
    },
    Mishap {
        what: "the database is moved",
        named: "jobs.db",
        act: |path| fs::rename(path, path.with_extension("old")).unwrap(),
    },
    Mishap {
        what: "the database is replaced by a copy",
        named: "jobs.db",
        act: |path| {
            fs::copy(path, path.with_extension("copy")).unwrap();
            fs::rename(path.with_extension("copy"), path).unwrap();
        },
    },
    Mishap {
        what: "the log is deleted",
        named: "jobs.db-wal",
        act: |path| fs::remove_file(beside(path, "-wal")).unwrap(),
    },
    Mishap {
        what: "the index of the log is deleted",
        named: "jobs.db-shm",
        act: |path| fs::remove_file(beside(path, "-shm")).unwrap(),
    },
    Mishap {
        what: "the lock file is deleted",
        named: "jobs.db.lock",
        act: |path| fs::remove_file(beside(path, ".lock")).unwrap(),
    },
    Mishap {
        what: "the directory is moved",
        named: "jobs.db",
        act: |path| {
            let directory = path.parent().unwrap();
            fs::rename(directory, directory.with_extension("old")).unwrap();
        },
    },
];

/// Starts a server with a database in a directory of its own.
fn start() -> Server {
    let setup = Setup::new();
    let directory = setup.directory().join("data");
    fs::create_dir(&directory).unwrap();
    setup.database(directory.join("jobs.db")).start()
}

/// Checks that the server ended because of a file.
fn assert_ended(server: &mut Server, mishap: &Mishap, within: Duration) {
    let Mishap { what, named, .. } = mishap;
    let status = server.exits_within(within).unwrap_or_else(|| panic!("it still runs: {what}"));
    assert_eq!(status.code(), Some(1), "{what}");
    let log = server.log();
    assert!(
        log.contains("ERROR") && log.contains(&format!("{named} was deleted")),
        "{what}: {log}"
    );
}

#[test]
fn no_submission_is_acknowledged_after_a_file_of_the_database_has_gone() {
    for mishap in &MISHAPS {
        let mut server = start();
        server.run(&echo(1));
        (mishap.act)(server.database());
        let mut accepted = 0;
        for number in 0..SUBMISSIONS {
            // The server may have ended already.
            let answer = Connection::open(server.addr())
                .and_then(|mut connection| connection.post("/v1/jobs", &echo(number)));
            accepted += u32::from(answer.is_ok_and(|answer| answer.status == 202));
        }
        assert_eq!(accepted, 0, "{}", mishap.what);
        assert_ended(&mut server, mishap, TIME_TO_NOTICE);
    }
}

#[test]
fn an_idle_server_ends_soon_after_a_file_of_its_database_has_gone() {
    for mishap in &MISHAPS {
        let mut server = start();
        (mishap.act)(server.database());
        let started = Instant::now();
        assert_ended(&mut server, mishap, TIME_TO_NOTICE);
        eprintln!("{}: noticed after {:?}", mishap.what, started.elapsed());
    }
}

#[test]
fn the_log_of_a_database_that_was_moved_away_is_kept_until_it_is_back() {
    let mut server = start();
    for number in 0..SUBMISSIONS {
        server.submit(&echo(number));
    }
    let away = server.database().with_extension("away");
    fs::rename(server.database(), &away).unwrap();
    assert_eq!(server.wait_for_exit().code(), Some(1));
    let log = beside(server.database(), "-wal");
    let before = fs::read(&log).unwrap();
    let error = server.try_restart().unwrap_err();
    assert!(error.contains("jobs.db-wal is not: put the database back"), "{error}");
    assert!(fs::read(&log).unwrap() == before);
    fs::rename(&away, server.database()).unwrap();
    server.restart();
    assert_eq!(server.all_jobs().len(), SUBMISSIONS as usize);
}

#[test]
fn a_link_that_is_changed_to_lead_to_another_database_ends_the_server() {
    let setup = Setup::new();
    let path = |name: &str| setup.directory().join(name);
    symlink("one.db", path("jobs.db")).unwrap();
    let link = path("jobs.db");
    let mut server = setup.database(&link).start();
    server.run(&echo(1));
    fs::copy(server.database(), link.with_file_name("two.db")).unwrap();
    symlink("two.db", link.with_extension("new")).unwrap();
    fs::rename(link.with_extension("new"), &link).unwrap();
    let answer = Connection::open(server.addr()).unwrap().post("/v1/jobs", &echo(2));
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status >= 500));
    assert_eq!(server.exits_within(TIME_TO_NOTICE).and_then(|status| status.code()), Some(1));
}

#[test]
fn files_that_are_only_read_or_touched_do_not_disturb_the_server() {
    let mut server = start();
    server.run(&echo(1));
    for suffix in ["", "-wal", ".lock"] {
        let file = beside(server.database(), suffix);
        fs::copy(&file, server.directory().join("copy")).unwrap();
        fs::File::open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    // Longer than the interval of the comparison.
    std::thread::sleep(Duration::from_millis(1_500));
    server.run(&echo(2));
    server.assert_healthy();
}
