//! Full disks (D5), limits on file sizes (D6), and readers that keep the write-ahead log from being
//! checkpointed (D7).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::fault_row::FaultRow;
use crate::kit::{Server, Setup, echo, eventually, sleep, with};

/// Small filesystem in memory. Dropping it unmounts it.
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a filesystem of this size, or returns why that is not possible.
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
                Err(format!("cannot mount a small disk; this needs root: {why}"))
            }
        }
    }

    /// Mounts a filesystem with a file that takes a third of its room.
    fn mount_with_filler() -> Result<(Self, PathBuf), String> {
        let disk = Self::mount("16m")?;
        let filler = disk.path().join("filler");
        std::fs::write(&filler, vec![1; 6 << 20]).unwrap();
        Ok((disk, filler))
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazy, because the server may still be ending.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Submits large jobs until one is refused, and returns the ids of the accepted ones.
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
    panic!("the disk is not full after 1000 large jobs");
}

/// Waits until the server accepts jobs again, and returns how long that took.
fn wait_until_jobs_are_accepted(server: &Server) -> Duration {
    let started = Instant::now();
    eventually("jobs are accepted again", || {
        (server.post("/v1/jobs", &echo(1)).status == 202).then_some(())
    });
    started.elapsed()
}

#[test]
fn a_full_disk_is_reported_and_the_server_continues_when_there_is_room() {
    let Some(mut row) = FaultRow::start("D5", "a full disk, then room again", (1, 20, "disks"))
    else {
        return;
    };
    let (mut accepted, mut longest) = (0, Duration::ZERO);
    for _ in 0..row.times {
        match fill_and_make_room() {
            Ok((count, took)) => (accepted, longest) = (accepted + count, longest.max(took)),
            Err(why) => return row.skip(&why),
        }
    }
    row.count("acknowledged", accepted);
    row.count("lost", 0);
    row.time("longest recovery", longest);
    row.held();
}

fn fill_and_make_room() -> Result<(usize, Duration), String> {
    let (disk, filler) = SmallDisk::mount_with_filler()?;
    let mut server = Setup::new().database(disk.path().join("longshore.db")).start();
    let running = server.submit(&sleep("2s"));
    server.wait_for_state(running, "running");
    let accepted = fill(&server);
    let ready = server.get("/readyz");
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("unwritable")), "{ready:?}");
    assert!(ready.json()["reason"].as_str().unwrap().contains("the disk is full"), "{ready:?}");
    // Reads still work, and the job that ends while the disk is full keeps its outcome.
    assert_eq!(server.get("/healthz").status, 200);
    for id in &accepted {
        assert_eq!(server.job(*id)["state"], "scheduled");
    }
    assert_eq!(server.post("/v1/jobs", &echo("x".repeat(200_000))).status, 507);
    eventually("it is logged", || server.log().contains("the disk is full").then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    std::fs::remove_file(&filler).unwrap();
    // The server finds out by itself that there is room.
    eventually("the server is ready", || (server.get("/readyz").status == 200).then_some(()));
    let took = wait_until_jobs_are_accepted(&server);
    let job = server.wait_until_final(running);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    server.kill();
    server.restart();
    for id in &accepted {
        assert_eq!(server.job(*id)["state"], "scheduled");
    }
    Ok((accepted.len(), took))
}

#[test]
fn a_start_on_a_full_disk_succeeds_or_reports_the_full_disk() {
    let Some(row) = FaultRow::start("D5", "a start on a full disk", (1, 20, "starts")) else {
        return;
    };
    row.repeat(start_on_a_full_disk);
}

fn start_on_a_full_disk() -> Result<(), String> {
    let disk = SmallDisk::mount("4m")?;
    let mut server = Setup::new().database(disk.path().join("longshore.db")).start();
    let accepted = fill(&server);
    server.kill();
    let restarted = server.try_restart();
    match restarted {
        Ok(()) => assert_eq!(server.job(accepted[0])["state"], "scheduled"),
        Err(why) => assert!(why.contains("full"), "{why}"),
    }
    Ok(())
}

#[test]
fn a_limit_on_file_sizes_does_not_end_the_server() {
    let Some(mut row) = FaultRow::start("D6", "a limit on file sizes", (1, 20, "servers")) else {
        return;
    };
    let accepted: usize = (0..row.times).map(|_| reach_the_limit_and_lift_it()).sum();
    row.count("acknowledged", accepted);
    row.count("lost", 0);
    row.held();
}

fn reach_the_limit_and_lift_it() -> usize {
    let mut server = Server::start();
    server.run(&echo(1));
    let log: PathBuf = format!("{}-wal", server.database().display()).into();
    let limit = std::fs::metadata(log).unwrap().len() + (1 << 20);
    let unlimited = getrlimit(Resource::Fsize);
    let pid = server.pid();
    let set = |limit| prlimit(Some(pid), Resource::Fsize, limit).unwrap();
    set(Rlimit { current: Some(limit), ..unlimited });
    let accepted = fill(&server);
    server.assert_healthy();
    set(unlimited);
    wait_until_jobs_are_accepted(&server);
    for id in &accepted {
        assert_eq!(server.job(*id)["state"], "scheduled");
    }
    accepted.len()
}

#[test]
fn the_server_continues_while_a_reader_holds_its_snapshot() {
    let Some(mut row) = FaultRow::start("D7", "a reader holds its snapshot", (1, 20, "readers"))
    else {
        return;
    };
    let largest = (0..row.times).map(|_| write_beside_a_reader()).max();
    row.count("largest log", format!("{} MiB", largest.unwrap()));
    row.held();
}

fn write_beside_a_reader() -> u64 {
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
    assert!(
        grown >= 30,
        "the log was checkpointed although a reader holds a snapshot: {grown} MiB"
    );
    reader.batch_execute("COMMIT").unwrap();
    for _ in 0..40 {
        server.submit(&large);
    }
    assert!(size() <= grown + 20, "the log still grows after the reader has ended: {} MiB", size());
    server.assert_healthy();
    grown
}

#[test]
fn running_jobs_are_not_rescued_while_the_disk_is_full_for_longer_than_their_leases() {
    let what = "a full disk for longer than a lease";
    let Some(row) = FaultRow::start("D5", what, (1, 5, "disks")) else { return };
    row.repeat(fill_for_longer_than_a_lease);
}

fn fill_for_longer_than_a_lease() -> Result<(), String> {
    let (disk, filler) = SmallDisk::mount_with_filler()?;
    let setup = Setup::new().config("lease = '5s'").database(disk.path().join("longshore.db"));
    let mut server = setup.start();
    let once = server.submit(&with(sleep("12s"), &json!({"at_most_once": true})));
    let ordinary = server.submit(&sleep("12s"));
    server.wait_for_state(ordinary, "running");
    fill(&server);
    // Longer than the leases of the two jobs.
    std::thread::sleep(Duration::from_secs(7));
    std::fs::remove_file(&filler).unwrap();
    wait_until_jobs_are_accepted(&server);
    for id in [once, ordinary] {
        let job = server.wait_until_final(id);
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    }
    server.assert_healthy();
    Ok(())
}
