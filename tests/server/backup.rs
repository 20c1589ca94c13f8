//! Copies of a database: taken while it is served, verified, served in its place.

mod clients;
mod epoch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::kit::process::longshore;
use crate::kit::{LONG, Server, Setup, echo, eventually, sleep, with};
use clients::Clients;

fn run(args: &[&str], paths: &[&Path]) -> Output {
    longshore(args).args(paths).output().unwrap()
}

#[track_caller]
fn ends_with(output: &Output, code: i32) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    let all = String::from_utf8(all).unwrap();
    assert_eq!(output.status.code(), Some(code), "{all}");
    all
}

/// Copies the database of a server beside it.
fn back_up(server: &Server, name: &str) -> PathBuf {
    let copy = server.directory().join(name);
    let output = longshore(&["backup", "--database"]).arg(server.database()).arg(&copy).output();
    ends_with(&output.unwrap(), 0);
    copy
}

/// What the database says of itself as JSON.
fn report(database: &Path) -> Value {
    let output = run(&["verify", "--json"], &[database]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[track_caller]
fn assert_sound(database: &Path) {
    let report = report(database);
    assert_eq!(report["is_sound"], true, "{report:#}");
    assert!(report["checks"].as_array().unwrap().len() > 10);
}

/// Waits until no job is live.
fn drain(server: &Server) {
    eventually("every job ends", || {
        let queues = server.get("/v1/queues").expect(200);
        let live = |queue: &Value| {
            let states = ["scheduled", "queued", "running", "retrying"];
            states.map(|state| queue["jobs"][state].as_i64().unwrap()).iter().sum::<i64>()
        };
        let left: i64 = queues["queues"].as_array().unwrap().iter().map(live).sum();
        (left == 0).then_some(())
    });
}

#[test]
fn a_backup_under_load_holds_all_that_was_accepted_before_it_and_can_be_served() {
    let config = "lanes.async = 8";
    let server = Setup::new().config(config).start();
    // So much that copying takes a while.
    let big = "x".repeat(200_000);
    for number in 0..100 {
        let tags = serde_json::json!({"tags": [format!("big-{number}")]});
        server.submit(&with(echo(big.as_str()), &tags));
    }
    let clients = Clients::start(&server);
    clients.have_accepted(500);
    let before = clients.accepted();
    let copy = back_up(&server, "copy.db");
    let after = clients.accepted();
    clients.have_accepted(after.len() + 50);
    let sent = clients.end();
    assert_sound(&copy);
    // The original goes on meanwhile, as far from the copy as another machine.
    let restored = Setup::new().config(config).database(&copy).start();
    drain(&restored);
    let jobs = restored.all_jobs();
    for (id, name) in &before {
        let job = jobs.get(id).unwrap_or_else(|| panic!("job {id} was accepted and is lost"));
        assert_eq!(job["tags"][0], **name, "job {id} is another");
    }
    for (id, job) in &jobs {
        let name = job["tags"][0].as_str().unwrap();
        assert!(sent.contains(name) || *id <= 100, "job {id} was never submitted");
        assert_eq!(job["state"], "completed", "{job}");
    }
    eprintln!(
        "backup: {} accepted before, {} when it ended, {} in the copy, 0 lost",
        before.len(),
        after.len(),
        jobs.len()
    );
    assert_sound(restored.database());
    drain(&server);
    assert_sound(server.database());
}

#[test]
fn a_served_database_is_sound_at_every_moment() {
    let server = Setup::new().config("lanes.async = 8").start();
    let clients = Clients::start(&server);
    for round in 1..=5 {
        clients.have_accepted(100 * round);
        assert_sound(server.database());
    }
    clients.end();
}

#[test]
fn a_database_is_copied_while_nobody_serves_it_and_without_the_keys_of_its_server() {
    let mut server = Server::start();
    server.run(&echo("one"));
    server.kill();
    let config = server.directory().join("needy.toml");
    let text = format!(
        "database = '{}'\n[providers.a]\nbase_url = 'http://a'\napi_key_env = 'NO_SUCH'",
        server.database().display()
    );
    fs::write(&config, text).unwrap();
    let copy = server.directory().join("copy.db");
    let output = run(&["backup", "--json", "--config"], &[&config, &copy]);
    let told: Value = serde_json::from_str(&ends_with(&output, 0)).unwrap();
    assert_eq!((&told["jobs"]["completed"], &told["is_marked"]), (&1.into(), &true.into()));
    assert_eq!(told["bytes"], fs::metadata(&copy).unwrap().len());
    assert_sound(&copy);
    let output = longshore(&["--json", "verify"]).env("LONGSHORE_DATABASE", &copy).output();
    assert!(ends_with(&output.unwrap(), 0).contains("\"is_sound\":true"));
}

#[test]
fn a_backup_replaces_a_file_only_where_it_is_told_to_and_never_the_database() {
    let server = Server::start();
    let copy = back_up(&server, "copy.db");
    let link = server.directory().join("link.db");
    std::os::unix::fs::symlink(server.database(), &link).unwrap();
    let before = fs::read(&copy).unwrap();
    server.run(&echo("one"));
    let backup = |args: &[&str], file: &Path| {
        let mut command = longshore(&["backup", "--database"]);
        command.arg(server.database()).arg(file).args(args).output().unwrap()
    };
    assert!(ends_with(&backup(&[], &copy), 2).contains("--force replaces it"));
    assert!(fs::read(&copy).unwrap() == before);
    let database = server.database().display();
    let parts =
        ["", "-wal", "-shm", ".lock"].map(|part| PathBuf::from(format!("{database}{part}")));
    for own in parts.iter().chain([&link]) {
        assert!(
            ends_with(&backup(&["--force"], own), 2).contains("belongs to the database itself")
        );
    }
    fs::write(server.directory().join("copy.db-wal"), "of another").unwrap();
    let told = ends_with(&backup(&["--force"], &copy), 2);
    assert!(told.contains("copy.db-wal belongs to another database file"), "{told}");
    fs::remove_file(server.directory().join("copy.db-wal")).unwrap();
    assert!(ends_with(&backup(&["--force"], &copy), 0).contains("1 completed"));
    assert_sound(&copy);
    ends_with(&backup(&[], &server.directory().join("no/such/place.db")), 1);
    ends_with(&run(&["backup", "--database", "/no/such.db"], &[&copy.with_extension("x")]), 1);
    let left = fs::read_dir(server.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().ends_with("partial")));
    server.run(&echo("well"));
}

#[test]
fn a_backup_that_is_killed_leaves_no_file_and_does_not_hinder_the_next() {
    let server = Server::start();
    let payload = "x".repeat(200_000);
    for _ in 0..100 {
        server.submit(&with(echo(payload.as_str()), &serde_json::json!({"delay": "1h"})));
    }
    let copy = server.directory().join("copy.db");
    let partial = server.directory().join("copy.db.partial");
    let mut killed = 0;
    let began = Instant::now();
    while killed < 3 && began.elapsed() < LONG {
        let mut command = longshore(&["backup", "--force", "--database"]);
        command.arg(server.database()).arg(&copy).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        while !partial.exists() && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        if child.wait().unwrap().code().is_none() {
            killed += 1;
            assert!(!copy.exists(), "a killed backup has left its file");
        } else {
            // It was faster than the kill.
            let _ = fs::remove_file(&copy);
        }
    }
    assert_eq!(killed, 3);
    back_up(&server, "copy.db");
    assert!(!partial.exists());
    assert_sound(&copy);
}

#[test]
fn two_backups_do_not_write_one_file() {
    let server = Server::start();
    let partial = fs::File::create(server.directory().join("copy.db.partial")).unwrap();
    partial.lock().unwrap();
    let copy = server.directory().join("copy.db");
    let output = longshore(&["backup", "--database"]).arg(server.database()).arg(&copy).output();
    assert!(ends_with(&output.unwrap(), 1).contains("another backup is writing"));
    assert!(!copy.exists());
    drop(partial);
    back_up(&server, "copy.db");
}

#[test]
fn who_may_not_read_the_database_may_not_read_its_copy() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(server.database(), private).unwrap();
    let copy = back_up(&server, "copy.db");
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn faults_of_a_database_are_told_with_their_jobs_and_by_the_exit_code() {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.reaches(id, "running");
    let copy = back_up(&server, "copy.db");
    let mut connection =
        diesel::sqlite::SqliteConnection::establish(copy.to_str().unwrap()).unwrap();
    connection.batch_execute("UPDATE queue_counts SET jobs = 7 WHERE state = 2").unwrap();
    drop(connection);
    let told = ends_with(&run(&["verify"], &[&copy]), 1);
    assert!(told.contains("queue default counts 7 running jobs and has 1"), "{told}");
    assert!(told.contains("is not sound: 1 of the checks found faults"), "{told}");
    fs::write(&copy, "no database").unwrap();
    ends_with(&run(&["verify"], &[&copy]), 2);
    ends_with(&run(&["verify"], &[Path::new("/no/such.db")]), 2);
    assert_sound(server.database());
}

#[test]
fn a_copy_beside_the_log_of_the_database_that_it_replaces_is_not_served() {
    let mut server = Server::start();
    server.run(&echo("one"));
    let copy = back_up(&server, "copy.db");
    server.run(&echo("two"));
    server.kill();
    let database = server.database().to_owned();
    let log = PathBuf::from(format!("{}-wal", database.display()));
    assert!(fs::metadata(&log).unwrap().len() > 0, "the killed server has left its log");
    fs::copy(&copy, &database).unwrap();
    let why = server.try_start_again().unwrap_err();
    assert!(why.contains("-wal is the log of another database"), "{why}");
    fs::remove_file(&log).unwrap();
    server.start_again();
    assert_eq!(server.all_jobs().len(), 1);
}
