//! Flushes of the disk that fail (D4): the server must send no false acknowledgement, and end with an
//! error in its log.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use serde_json::json;

use crate::disk::tracer::Tracer;
use crate::fault_row::FaultRow;
use crate::history::check::check;
use crate::history::violation::Operation;
use crate::kit::process::longshore;
use crate::kit::{Connection, Server, Setup, echo, eventually};
use crate::load::{Load, Observed};
use crate::repeated_faults::{LoadCounts, assert_verified};

/// Time in which a server may end after one failed flush.
const TIME_TO_END: Duration = Duration::from_secs(2);
/// Time under load before the flushes fail, and again after the next start.
const TIME_UNDER_LOAD: Duration = Duration::from_millis(300);
/// Operations that must have succeeded even in so short a run.
const DEMANDED: [Operation; 3] = [Operation::Submit, Operation::Effect, Operation::Fault];

#[test]
fn a_failed_flush_ends_the_server_without_a_false_acknowledgement() {
    let Some(mut row) = FaultRow::start("D4", "each flush fails with EIO", (1, 100, "runs")) else {
        return;
    };
    row.count("false acknowledgements", 0);
    row.repeat(fail_every_flush);
}

fn fail_every_flush() -> Result<(), String> {
    let mut server = Server::start();
    let accepted = server.submit(&echo(1));
    server.wait_until_final(accepted);
    let tracer = Tracer::flushes(server.pid(), server.directory(), "error=EIO")?;
    let answer = Connection::open(server.addr())
        .and_then(|mut connection| connection.post("/v1/jobs", &echo(2)));
    if let Ok(answer) = answer {
        assert!(answer.status >= 500, "a false acknowledgement: {answer:?}");
        answer.problem(500);
        assert_eq!(answer.json()["type"], "urn:longshore:problem:outcome-unknown");
    }
    assert_eq!(server.wait_for_exit().code(), Some(1));
    tracer.wait_until_ended();
    let log = server.log();
    assert!(log.contains("cannot continue") && log.contains("disk I/O error"), "{log}");
    server.restart();
    assert_eq!(server.job(accepted)["state"], "completed");
    let jobs = server.get("/v1/jobs").expect(200);
    assert!(jobs["jobs"].as_array().unwrap().len() <= 2, "{jobs}");
    assert_eq!(server.run(&echo(3))["result"], json!(3));
    Ok(())
}

#[test]
fn accepted_jobs_survive_failed_flushes_under_load() {
    let what = "flushes fail under load: a single one, or all from one onwards";
    let Some(mut row) = FaultRow::start("D4", what, (4, 100, "runs")) else { return };
    let mut random = row.random();
    let (mut counts, mut ended) = (LoadCounts::default(), 0);
    for run in 0..row.times {
        let first = 1 + random.below(40);
        let failures =
            if run % 2 == 0 { FlushFailures::Once(first) } else { FlushFailures::From(first) };
        match fail_flushes_under_load(&failures) {
            Ok((observed, has_ended)) => {
                assert_eq!(check(&observed.history, &observed.table, &DEMANDED), []);
                counts.add(&observed);
                ended += u32::from(has_ended);
            }
            Err(why) => return row.skip(&why),
        }
    }
    row.count("servers that ended", ended);
    counts.report_to(&mut row);
    row.held();
}

/// Flushes that fail, counted from 1 for each thread.
enum FlushFailures {
    Once(u64),
    From(u64),
}

/// Makes flushes fail under load. Returns what the clients observed, and whether the server ended.
///
/// A server may survive a single failure, because a flush that fails during a checkpoint of the log
/// loses nothing.
fn fail_flushes_under_load(failures: &FlushFailures) -> Result<(Observed, bool), String> {
    let mut server = Setup::new().config("lanes.async = 64").start();
    let load = Load::start(&server, 2);
    std::thread::sleep(TIME_UNDER_LOAD);
    let how = match failures {
        FlushFailures::Once(first) => format!("error=EIO:when={first}"),
        FlushFailures::From(first) => format!("error=EIO:when={first}+"),
    };
    let tracer = Tracer::flushes(server.pid(), server.directory(), &how)?;
    load.fault(&how);
    let status = match failures {
        FlushFailures::Once(_) => server.exits_within(TIME_TO_END),
        FlushFailures::From(_) => Some(server.wait_for_exit()),
    };
    assert!(status.is_none_or(|status| status.code() == Some(1)), "{status:?}");
    if status.is_none() {
        server.kill();
    }
    tracer.wait_until_ended();
    server.restart();
    load.set_addr(server.addr());
    std::thread::sleep(TIME_UNDER_LOAD);
    assert_verified(server.database());
    Ok((load.end(&server), status.is_some()))
}

#[test]
fn the_demo_exits_with_an_error_when_its_server_fails() {
    let what = "each flush fails while `longshore demo` runs";
    let Some(row) = FaultRow::start("D4", what, (1, 10, "runs")) else { return };
    row.repeat(fail_every_flush_of_the_demo);
}

fn fail_every_flush_of_the_demo() -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let mut demo = longshore(&["demo", "--delay", "1ms", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let serving = lines.find(|line| line.starts_with("Longshore is serving")).unwrap();
    let addr = serving.split("http://").nth(1).unwrap().split(' ').next().unwrap();
    let listed = lines.find(|line| line.contains(" list --url ")).unwrap();
    assert!(listed.contains(env!("CARGO_BIN_EXE_longshore")), "{listed}");
    let tracer = Tracer::flushes(Pid::from_child(&demo), directory.path(), "error=EIO");
    let tracer = tracer.inspect_err(|_| {
        demo.kill().unwrap();
        demo.wait().unwrap();
    })?;
    let mut connection = Connection::open(addr.parse().unwrap()).unwrap();
    let _ = connection.post("/v1/jobs", &echo(1));
    let status = eventually("the demo ends", || demo.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    tracer.wait_until_ended();
    Ok(())
}
