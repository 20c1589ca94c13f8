//! Disks that are full (D5, D6), and readers that hold the log (D7).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::kit::{Server, Setup, echo, eventually, sleep, with};
use crate::row::Row;

/// A small disk in memory, unmounted when it is dropped.
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one, or tells why it cannot.
    fn mount(size: &str) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(directory.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => Ok(Self { directory }),
            failed => {
                let why = failed.map_or_else(
                    |error| error.to_string(),
                    |output| String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
                );
                Err(format!("a small disk cannot be mounted, which takes root: {why}"))
            }
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, for the server may still be on its way out.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Submits large jobs until one is refused; gives the ids of those that were accepted.
fn fill(server: &Server) -> Vec<i64> {
    let large = echo("x".repeat(200_000));
    let mut ids = Vec::new();
    for _ in 0..1_000 {
        let answer = server.post("/v1/jobs", &with(large.clone(), &json!({"delay": "1h"})));
        if answer.status != 202 {
            let detail = answer.problem(507);
            assert!(detail.contains("disk is full"), "{detail}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            return ids;
        }
        ids.push(answer.json()["id"].as_i64().unwrap());
    }
    panic!("the disk does not fill up");
}

/// Waits until the server takes jobs again, and tells how long that took.
fn until_accepting(server: &Server) -> Duration {
    let began = Instant::now();
    eventually("jobs are taken again", || {
        (server.post("/v1/jobs", &echo(1)).status == 202).then_some(())
    });
    began.elapsed()
}

#[test]
fn a_full_disk_is_told_and_the_server_goes_on_when_there_is_room() {
    let Some(mut row) = Row::begin("D5", "a full disk, then room again", (1, 20, "disks")) else {
        return;
    };
    let (mut accepted, mut longest) = (0, Duration::ZERO);
    for _ in 0..row.times {
        match fills_up_and_goes_on() {
            Ok((count, took)) => (accepted, longest) = (accepted + count, longest.max(took)),
            Err(why) => return row.skip(&why),
        }
    }
    row.count("acknowledged", accepted);
    row.count("lost", 0);
    row.time("longest recovery", longest);
    row.held();
}

fn fills_up_and_goes_on() -> Result<(usize, Duration), String> {
    let disk = SmallDisk::mount("16m")?;
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 6 << 20]).unwrap();
    let mut server = Setup::new().database(disk.path().join("longshore.db")).start();
    let running = server.submit(&sleep("2s"));
    server.reaches(running, "running");
    let accepted = fill(&server);
    // Reading goes on, and what ends meanwhile is not forgotten.
    assert_eq!(server.get("/readyz").status, 200);
    for id in &accepted {
        assert_eq!(server.job(*id)["state"], "scheduled");
    }
    assert_eq!(server.post("/v1/jobs", &echo("x".repeat(200_000))).status, 507);
    assert!(server.log().contains("the disk is full"));
    std::thread::sleep(Duration::from_secs(2));
    std::fs::remove_file(&filler).unwrap();
    let took = until_accepting(&server);
    let job = server.finished(running);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    server.kill();
    server.start_again();
    for id in &accepted {
        assert_eq!(server.job(*id)["state"], "scheduled");
    }
    Ok((accepted.len(), took))
}

#[test]
fn a_server_starts_on_a_disk_that_is_still_full() {
    let Some(row) = Row::begin("D5", "a start on a full disk", (1, 20, "starts")) else { return };
    for _ in 0..row.times {
        if let Err(why) = starts_on_a_full_disk() {
            return row.skip(&why);
        }
    }
    row.held();
}

fn starts_on_a_full_disk() -> Result<(), String> {
    let disk = SmallDisk::mount("4m")?;
    let mut server = Setup::new().database(disk.path().join("longshore.db")).start();
    let accepted = fill(&server);
    server.kill();
    let restarted = server.try_start_again();
    match restarted {
        Ok(()) => assert_eq!(server.job(accepted[0])["state"], "scheduled"),
        Err(why) => assert!(why.contains("full"), "{why}"),
    }
    Ok(())
}

#[test]
fn a_limit_on_file_sizes_is_no_death() {
    let Some(mut row) = Row::begin("D6", "a limit on file sizes", (1, 20, "servers")) else {
        return;
    };
    let accepted: usize = (0..row.times).map(|_| meets_the_limit_and_goes_on()).sum();
    row.count("acknowledged", accepted);
    row.count("lost", 0);
    row.held();
}

fn meets_the_limit_and_goes_on() -> usize {
    let mut server = Server::start();
    server.run(&echo(1));
    let log: PathBuf = format!("{}-wal", server.database().display()).into();
    let limit = std::fs::metadata(log).unwrap().len() + (1 << 20);
    let unlimited = getrlimit(Resource::Fsize);
    let pid = server.pid();
    let set = |limit| prlimit(Some(pid), Resource::Fsize, limit).unwrap();
    set(Rlimit { current: Some(limit), ..unlimited });
    let accepted = fill(&server);
    server.is_well();
    set(unlimited);
    until_accepting(&server);
    for id in &accepted {
        assert_eq!(server.job(*id)["state"], "scheduled");
    }
    accepted.len()
}

#[test]
fn a_reader_that_holds_its_snapshot_lets_the_server_go_on() {
    let Some(mut row) = Row::begin("D7", "a reader holds its snapshot", (1, 20, "readers")) else {
        return;
    };
    let largest = (0..row.times).map(|_| goes_on_beside_a_reader()).max();
    row.count("largest log", format!("{} MiB", largest.unwrap()));
    row.held();
}

fn goes_on_beside_a_reader() -> u64 {
    let mut server = Server::start();
    server.run(&echo(1));
    let mut reader = SqliteConnection::establish(server.database().to_str().unwrap()).unwrap();
    reader.batch_execute("BEGIN; SELECT count(*) FROM jobs").unwrap();
    let large = with(echo("x".repeat(1 << 20)), &json!({"delay": "1h"}));
    for _ in 0..40 {
        server.submit(&large);
    }
    let log: PathBuf = format!("{}-wal", server.database().display()).into();
    let size = || std::fs::metadata(&log).unwrap().len() >> 20;
    let grown = size();
    assert!(grown >= 30, "the log could be moved though a reader holds it: {grown} MiB");
    reader.batch_execute("COMMIT").unwrap();
    for _ in 0..40 {
        server.submit(&large);
    }
    assert!(size() <= grown + 20, "the log goes on growing: {} MiB", size());
    server.is_well();
    grown
}

#[test]
fn what_runs_while_the_disk_is_full_for_longer_than_its_lease_is_not_taken_back() {
    let what = "a full disk for longer than a lease";
    let Some(row) = Row::begin("D5", what, (1, 5, "disks")) else { return };
    for _ in 0..row.times {
        if let Err(why) = keeps_its_leases_on_a_full_disk() {
            return row.skip(&why);
        }
    }
    row.held();
}

fn keeps_its_leases_on_a_full_disk() -> Result<(), String> {
    let disk = SmallDisk::mount("16m")?;
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 6 << 20]).unwrap();
    let setup = Setup::new().config("lease = '5s'").database(disk.path().join("longshore.db"));
    let mut server = setup.start();
    let once = server.submit(&with(sleep("12s"), &json!({"at_most_once": true})));
    let usual = server.submit(&sleep("12s"));
    server.reaches(usual, "running");
    fill(&server);
    // Longer than the lease.
    std::thread::sleep(Duration::from_secs(7));
    std::fs::remove_file(&filler).unwrap();
    until_accepting(&server);
    for id in [once, usual] {
        let job = server.finished(id);
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    }
    server.is_well();
    Ok(())
}
