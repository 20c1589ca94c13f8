//! A disk whose flush fails (D4): nothing is promised, the server ends and says why.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use serde_json::json;

use crate::history::check::check;
use crate::history::violation::Operation;
use crate::kit::process::longshore;
use crate::kit::{Connection, Server, Setup, echo, eventually};
use crate::load::{Load, Seen};
use crate::random::Random;
use crate::row::Row;
use crate::siege::{Figures, is_sound};
use crate::tracer::Tracer;

/// How long a server is watched whose flush fails once.
const LIFE: Duration = Duration::from_secs(2);
/// How long it serves before its flushes fail, and after its next start.
const LOAD: Duration = Duration::from_millis(300);
/// What must have succeeded even in a life so short.
const DEMANDED: [Operation; 3] = [Operation::Submit, Operation::Effect, Operation::Fault];

#[test]
fn a_flush_that_fails_ends_the_server_without_a_false_promise() {
    let Some(mut row) = Row::begin("D4", "each flush fails with EIO", (1, 100, "runs")) else {
        return;
    };
    for _ in 0..row.times {
        if let Err(why) = breaks_off_without_a_false_promise() {
            return row.skip(&why);
        }
    }
    row.count("false acknowledgements", 0);
    row.held();
}

fn breaks_off_without_a_false_promise() -> Result<(), String> {
    let mut server = Server::start();
    let kept = server.submit(&echo(1));
    server.finished(kept);
    let tracer = Tracer::flushes(server.pid(), server.directory(), "error=EIO")?;
    let headers = [("content-type", "application/json")];
    let body = echo(2).to_string();
    let answer = Connection::open(server.addr()).and_then(|mut connection| {
        connection.request("POST", "/v1/jobs", &headers, body.as_bytes())
    });
    if let Ok(answer) = answer {
        assert!(answer.status >= 500, "promised in vain: {answer:?}");
        answer.problem(500);
        assert_eq!(answer.json()["type"], "urn:longshore:problem:outcome-unknown");
    }
    assert_eq!(server.ended().code(), Some(1));
    tracer.ended();
    let log = server.log();
    assert!(log.contains("cannot continue") && log.contains("disk I/O error"), "{log}");
    server.start_again();
    assert_eq!(server.job(kept)["state"], "completed");
    let jobs = server.get("/v1/jobs").expect(200);
    assert!(jobs["jobs"].as_array().unwrap().len() <= 2, "{jobs}");
    assert_eq!(server.run(&echo(3))["result"], json!(3));
    Ok(())
}

#[test]
fn what_was_accepted_outlives_flushes_that_fail_under_load() {
    let what = "flushes fail under load, one or all from one on";
    let Some(mut row) = Row::begin("D4", what, (4, 100, "runs")) else { return };
    let (mut random, seed) = Random::of_this_run();
    eprintln!("D4: seed {seed}");
    let (mut figures, mut ended) = (Figures::default(), 0);
    for run in 0..row.times {
        let first = 1 + random.below(40);
        let fails = if run % 2 == 0 { Fails::Once(first) } else { Fails::From(first) };
        match flushes_fail_under_load(&fails) {
            Ok((seen, has_ended)) => {
                assert_eq!(check(&seen.history, &seen.table, &DEMANDED), []);
                figures.add(&seen);
                ended += u32::from(has_ended);
            }
            Err(why) => return row.skip(&why),
        }
    }
    row.count("servers that ended", ended);
    figures.tell(&mut row);
    row.held();
}

/// Which flushes fail, counted from 1 for each thread.
enum Fails {
    Once(u64),
    From(u64),
}

/// What clients saw of a server whose flushes fail, and whether it ended by itself. A flush that
/// fails while the log is moved harms nothing, so that one that fails once may be survived.
fn flushes_fail_under_load(fails: &Fails) -> Result<(Seen, bool), String> {
    let mut server = Setup::new().config("lanes.async = 64").start();
    let load = Load::start(&server, 2);
    std::thread::sleep(LOAD);
    let how = match fails {
        Fails::Once(first) => format!("error=EIO:when={first}"),
        Fails::From(first) => format!("error=EIO:when={first}+"),
    };
    let traced = Tracer::flushes(server.pid(), server.directory(), &how)?;
    load.fault(&how);
    let status = match fails {
        Fails::Once(_) => server.ends_within(LIFE),
        Fails::From(_) => Some(server.ended()),
    };
    assert!(status.is_none_or(|status| status.code() == Some(1)), "{status:?}");
    if status.is_none() {
        server.kill();
    }
    traced.ended();
    server.start_again();
    load.moved(server.addr());
    std::thread::sleep(LOAD);
    is_sound(server.database());
    Ok((load.end(&server), status.is_some()))
}

#[test]
fn a_demonstration_whose_server_fails_while_it_serves_ends_with_an_error() {
    let what = "each flush fails under a demonstration";
    let Some(row) = Row::begin("D4", what, (1, 10, "runs")) else { return };
    for _ in 0..row.times {
        if let Err(why) = demonstration_ends_with_an_error() {
            return row.skip(&why);
        }
    }
    row.held();
}

fn demonstration_ends_with_an_error() -> Result<(), String> {
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
    let headers = [("content-type", "application/json")];
    let _ = connection.request("POST", "/v1/jobs", &headers, echo(1).to_string().as_bytes());
    let status = eventually("the demonstration ends", || demo.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    tracer.ended();
    Ok(())
}
