//! `longshore backup` and `longshore verify`: copies are taken while a server runs, verified, and
//! served by another server.

mod clients;
mod epoch;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::kit::process::longshore;
use crate::kit::{Server, Setup, TEST_TIMEOUT, echo, eventually, sleep, with};
use clients::Clients;

fn run(args: &[&str], paths: &[&Path]) -> Output {
    longshore(args).args(paths).output().unwrap()
}

/// Checks the exit code of a command and returns all that it has printed.
#[track_caller]
fn exits_with(output: &Output, code: i32) -> String {
    let printed = [&output.stdout[..], &output.stderr[..]].concat();
    let printed = String::from_utf8(printed).unwrap();
    assert_eq!(output.status.code(), Some(code), "{printed}");
    printed
}

#[test]
fn a_url_in_place_of_a_file_is_refused_without_its_password() {
    let url = "postgres://ann:secret@db/jobs";
    for args in
        [&["verify", url][..], &["verify", "--database", url], &["backup", "--database", url, "x"]]
    {
        let printed = exits_with(&longshore(args).output().unwrap(), 2);
        assert!(printed.contains("postgres://db/jobs is a URL"), "{printed}");
        assert!(!printed.contains("secret"), "{printed}");
    }
}

/// Backs up the database of a server to a file in the directory of the server.
fn back_up(server: &Server, name: &str) -> PathBuf {
    let copy = server.directory().join(name);
    let output = longshore(&["backup", "--database"]).arg(server.database()).arg(&copy).output();
    exits_with(&output.unwrap(), 0);
    copy
}

/// Returns the JSON report of `longshore verify` about a database.
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

/// Waits until every job is final.
fn wait_until_final(server: &Server) {
    eventually("every job is final", || {
        let queues = server.get("/v1/queues").expect(200);
        let unfinished = |queue: &Value| {
            let states = ["scheduled", "queued", "running", "retrying"];
            states.map(|state| queue["jobs"][state].as_i64().unwrap()).iter().sum::<i64>()
        };
        let left: i64 = queues["queues"].as_array().unwrap().iter().map(unfinished).sum();
        (left == 0).then_some(())
    });
}

#[test]
fn a_backup_under_load_contains_every_job_accepted_before_it_and_can_be_served() {
    let config = "lanes.async = 8";
    let server = Setup::new().config(config).start();
    // 20 MB of payloads, so that the copy takes a while.
    let big = "x".repeat(200_000);
    for number in 0..100 {
        let tags = serde_json::json!({"tags": [format!("big-{number}")]});
        server.submit(&with(echo(big.as_str()), &tags));
    }
    let clients = Clients::start(&server);
    clients.wait_until_accepted(500);
    let before = clients.accepted();
    let copy = back_up(&server, "copy.db");
    let after = clients.accepted();
    clients.wait_until_accepted(after.len() + 50);
    let sent = clients.stop();
    assert_sound(&copy);
    // The original continues to run; the restored server works on the copy alone.
    let restored = Setup::new().config(config).database(&copy).start();
    wait_until_final(&restored);
    let jobs = restored.all_jobs();
    for (id, name) in &before {
        let job = jobs
            .get(id)
            .unwrap_or_else(|| panic!("job {id} was accepted before the backup and is missing"));
        assert_eq!(job["tags"][0], **name, "job {id} is a different job");
    }
    for (id, job) in &jobs {
        let name = job["tags"][0].as_str().unwrap();
        assert!(sent.contains(name) || *id <= 100, "job {id} was never submitted");
        assert_eq!(job["state"], "completed", "{job}");
    }
    eprintln!(
        "backup: {} jobs accepted before it, {} when it ended, {} in the copy, 0 lost",
        before.len(),
        after.len(),
        jobs.len()
    );
    assert_sound(restored.database());
    wait_until_final(&server);
    assert_sound(server.database());
}

#[test]
fn a_database_in_use_passes_verification_at_any_time() {
    let server = Setup::new().config("lanes.async = 8").start();
    let clients = Clients::start(&server);
    for round in 1..=5 {
        clients.wait_until_accepted(100 * round);
        assert_sound(server.database());
    }
    clients.stop();
}

#[test]
fn a_database_is_backed_up_without_a_running_server_or_its_api_keys() {
    let mut server = Server::start();
    server.run(&echo("one"));
    server.kill();
    let config = server.directory().join("missing-key.toml");
    let text = format!(
        "database = '{}'\n[providers.a]\nbase_url = 'http://a'\napi_key_env = 'NO_SUCH'",
        server.database().display()
    );
    fs::write(&config, text).unwrap();
    let copy = server.directory().join("copy.db");
    let output = run(&["backup", "--json", "--config"], &[&config, &copy]);
    let summary: Value = serde_json::from_str(&exits_with(&output, 0)).unwrap();
    assert_eq!((&summary["jobs"]["completed"], &summary["is_marked"]), (&1.into(), &true.into()));
    assert_eq!(summary["bytes"], fs::metadata(&copy).unwrap().len());
    assert_sound(&copy);
    let output = longshore(&["--json", "verify"]).env("LONGSHORE_DATABASE", &copy).output();
    assert!(exits_with(&output.unwrap(), 0).contains("\"is_sound\":true"));
}

#[test]
fn a_backup_replaces_a_file_only_with_force_and_never_the_database() {
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
    assert!(exits_with(&backup(&[], &copy), 2).contains("use --force to replace it"));
    assert!(fs::read(&copy).unwrap() == before);
    let database = server.database().display();
    let parts =
        ["", "-wal", "-shm", ".lock"].map(|part| PathBuf::from(format!("{database}{part}")));
    for part in parts.iter().chain([&link]) {
        assert!(
            exits_with(&backup(&["--force"], part), 2).contains("belongs to the database itself")
        );
    }
    fs::write(server.directory().join("copy.db-wal"), "of another database").unwrap();
    let printed = exits_with(&backup(&["--force"], &copy), 2);
    assert!(printed.contains("copy.db-wal belongs to another database file"), "{printed}");
    fs::remove_file(server.directory().join("copy.db-wal")).unwrap();
    assert!(exits_with(&backup(&["--force"], &copy), 0).contains("1 completed"));
    assert_sound(&copy);
    exits_with(&backup(&[], &server.directory().join("no/such/directory.db")), 1);
    exits_with(&run(&["backup", "--database", "/no/such.db"], &[&copy.with_extension("x")]), 1);
    let files = fs::read_dir(server.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!files.into_iter().any(|name| name.to_string_lossy().ends_with("partial")));
    server.run(&echo("still running"));
}

#[test]
fn a_killed_backup_leaves_no_copy_and_does_not_block_the_next_backup() {
    let server = Server::start();
    let payload = "x".repeat(200_000);
    for _ in 0..100 {
        server.submit(&with(echo(payload.as_str()), &serde_json::json!({"delay": "1h"})));
    }
    let copy = server.directory().join("copy.db");
    let mut killed = 0;
    let started = Instant::now();
    while killed < 3 && started.elapsed() < TEST_TIMEOUT {
        let before = partials(&server);
        let mut command = longshore(&["backup", "--force", "--database"]);
        command.arg(server.database()).arg(&copy).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        while partials(&server).is_subset(&before) && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        if child.wait().unwrap().code().is_none() {
            killed += 1;
            assert!(!copy.exists(), "a killed backup must not leave a copy");
        } else {
            // The backup finished before the kill.
            let _ = fs::remove_file(&copy);
        }
    }
    assert_eq!(killed, 3);
    back_up(&server, "copy.db");
    assert_eq!(partials(&server), BTreeSet::new(), "those of the killed backups are deleted");
    assert_sound(&copy);
}

/// Returns the temporary files of backups.
fn partials(server: &Server) -> BTreeSet<PathBuf> {
    let files = fs::read_dir(server.directory()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "partial")).collect()
}

#[test]
fn two_backups_to_one_file_at_a_time_do_not_disturb_each_other() {
    let server = Server::start();
    for _ in 0..20 {
        server.submit(&with(echo("x".repeat(200_000)), &serde_json::json!({"delay": "1h"})));
    }
    for options in [&[][..], &["--force"]] {
        let copy = server.directory().join("copy.db");
        let start = || {
            let mut command = longshore(&["backup", "--database"]);
            command.arg(server.database()).arg(&copy).args(options);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
        let mut codes = outputs.each_ref().map(|output| output.status.code().unwrap());
        codes.sort_unstable();
        // Without `--force`, the second one must not replace the copy of the first.
        assert_eq!(codes, if options.is_empty() { [0, 2] } else { [0, 0] }, "{outputs:?}");
        assert_sound(&copy);
        assert_eq!(partials(&server), BTreeSet::new());
    }
}

#[test]
fn verify_reports_faults_in_its_output_and_its_exit_code() {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.wait_for_state(id, "running");
    let copy = back_up(&server, "copy.db");
    let mut connection =
        diesel::sqlite::SqliteConnection::establish(copy.to_str().unwrap()).unwrap();
    connection.batch_execute("UPDATE queue_counts SET jobs = 7 WHERE state = 2").unwrap();
    drop(connection);
    let printed = exits_with(&run(&["verify"], &[&copy]), 1);
    assert!(printed.contains("queue default counts 7 running jobs and has 1"), "{printed}");
    assert!(printed.contains("is not sound: 1 of the checks found faults"), "{printed}");
    fs::write(&copy, "not a database").unwrap();
    exits_with(&run(&["verify"], &[&copy]), 2);
    exits_with(&run(&["verify"], &[Path::new("/no/such.db")]), 2);
    assert_sound(server.database());
}

#[test]
fn a_copy_next_to_the_wal_file_of_the_replaced_database_is_not_served() {
    let mut server = Server::start();
    server.run(&echo("one"));
    let copy = back_up(&server, "copy.db");
    server.run(&echo("two"));
    server.kill();
    let database = server.database().to_owned();
    let wal = PathBuf::from(format!("{}-wal", database.display()));
    assert!(fs::metadata(&wal).unwrap().len() > 0, "a killed server must leave its WAL file");
    fs::copy(&copy, &database).unwrap();
    let error = server.try_restart().unwrap_err();
    assert!(error.contains("-wal is the log of another database"), "{error}");
    fs::remove_file(&wal).unwrap();
    server.restart();
    assert_eq!(server.all_jobs().len(), 1);
}
