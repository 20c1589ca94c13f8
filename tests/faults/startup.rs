//! A server that is killed while it starts (D9): the next start finds what it needs.

mod older;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::history::violation::Operation;
use crate::history::{Event, Recorder, Submit, check::check, table};
use crate::kit::{Server, Setup, echo, eventually, sleep, with};
use crate::random::Random;
use crate::row::Row;
use crate::siege::is_sound;

/// How often each database is killed at its start.
const KILLS: u32 = 12;
/// Jobs that run when the server is killed.
const JOBS: u32 = 200;

#[test]
fn a_server_that_is_killed_while_it_starts_starts_the_next_time() {
    let what = "killed while the tables are made";
    let Some(mut row) = Row::begin("D9", what, (3, 50, "databases")) else { return };
    for round in 0..u64::from(row.times) {
        let setup = Setup::new();
        // Over the making of the tables, and over what lies before and behind it.
        for pause in 0..u64::from(KILLS) {
            kill_after(&setup, Duration::from_millis(3 * pause + round % 3));
        }
        let server = setup.start();
        assert_eq!(server.run(&echo(round))["result"], round);
    }
    row.count("kills", KILLS * row.times);
    row.held();
}

/// Starts a server and kills it after a while. One that ends before has to say why.
fn kill_after(setup: &Setup, pause: Duration) {
    let mut child = setup.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(pause);
    let refused = child.try_wait().unwrap();
    // Fails where it has ended by itself.
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(refused.is_none(), "it did not start, {refused:?}: {told}");
}

/// A moment at which to kill a server that takes `start` to start: mostly early, for that is where
/// the tables are made and changed, and always within its first second.
fn moment(random: &mut Random, start: Duration) -> Duration {
    let whole = if random.below(8) == 0 { Duration::from_secs(1) } else { start };
    let part = random.below(1_000) as f64 / 1_000.0;
    whole.mul_f64(part * part)
}

#[test]
fn a_server_that_is_killed_while_it_migrates_is_never_half_migrated() {
    let what = "killed while an older database is migrated";
    let Some(mut row) = Row::begin("D9", what, (12, 300, "databases")) else { return };
    let (mut random, seed) = Random::of_this_run();
    eprintln!("D9: seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("older.db");
    older::make(&template);
    let start = time_to_start(&template);
    let whole = older::expected(usize::MAX).versions;
    let (mut before, mut after) = (0, 0);
    for _ in 0..row.times {
        let setup = older_setup(&template);
        for _ in 0..KILLS {
            kill_after(&setup, moment(&mut random, start));
            let state = older::look(&setup.directory().join("longshore.db"));
            assert!(state.is_whole(), "{state:?}");
            if state.versions == whole {
                after += 1;
                break;
            }
            before += 1;
        }
        let mut server = setup.start();
        all_complete(&server);
        server.kill();
        is_sound(server.database());
    }
    row.count("kills", before + after);
    row.count("before the migration", before);
    row.count("after it", after);
    row.count("half migrated", 0);
    row.held();
}

fn older_setup(template: &Path) -> Setup {
    let setup = Setup::new();
    std::fs::copy(template, setup.directory().join("longshore.db")).unwrap();
    setup
}

/// How long a server takes to start on an older database.
fn time_to_start(template: &Path) -> Duration {
    let setup = older_setup(template);
    let began = Instant::now();
    let server = setup.start();
    let took = began.elapsed();
    all_complete(&server);
    took
}

/// Each of the older jobs gives its number back.
fn all_complete(server: &Server) {
    for id in 1..=older::JOBS {
        let job = server.finished(id);
        assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!(id)), "{job}");
    }
}

#[test]
fn a_server_that_is_killed_while_it_recovers_loses_nothing() {
    let what = "killed while it takes back what ran";
    let Some(mut row) = Row::begin("D9", what, (1, 60, "databases")) else { return };
    let (mut random, seed) = Random::of_this_run();
    eprintln!("D9: seed {seed}");
    for _ in 0..row.times {
        killed_while_it_recovers(&mut random);
    }
    row.count("kills", KILLS * row.times);
    row.count("jobs", JOBS * row.times);
    row.count("lost", 0);
    row.held();
}

fn killed_while_it_recovers(random: &mut Random) {
    let histories = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(&histories.path().join("history.ndjson"));
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("longshore.db");
    let setup = || Setup::new().config("lanes.async = 300").database(&database);
    let mut server = setup().start();
    let ids: Vec<i64> = (0..JOBS).map(|number| submit(&server, &recorder, number)).collect();
    eventually("all run", || {
        let running = server.queue("default")["jobs"]["running"].as_u64();
        (running == Some(u64::from(JOBS))).then_some(())
    });
    server.kill();
    recorder.record(&Event::Fault { what: "kill".into() });
    let began = Instant::now();
    server.start_again();
    let start = began.elapsed();
    server.kill();
    for _ in 0..KILLS {
        kill_after(&setup(), moment(random, start));
    }
    server.start_again();
    for id in ids {
        cancel(&server, &recorder, id);
    }
    eventually("every job ends", || {
        let jobs = server.queue("default")["jobs"].clone();
        let left = ["queued", "running", "retrying"].map(|state| jobs[state].as_u64().unwrap());
        (left == [0; 3]).then_some(())
    });
    let demanded = [Operation::Submit, Operation::Cancel, Operation::Fault];
    assert_eq!(check(&recorder.events(), &table::of(&server), &demanded), []);
    server.kill();
    is_sound(&database);
}

/// Submits a job that does not end by itself; every fourth may run once only.
fn submit(server: &Server, recorder: &Recorder, number: u32) -> i64 {
    let (tag, at_most_once) = (number.to_string(), number.is_multiple_of(4));
    let fields = json!({"tags": [tag], "at_most_once": at_most_once, "max_attempts": 100});
    let job = with(sleep("1h"), &fields);
    let call = recorder.call();
    let sent = Submit { call, tag, at_most_once, ..Submit::default() };
    recorder.record(&Event::Submit(sent));
    let job = server.submit(&job);
    recorder.record(&Event::Submitted { call, job });
    job
}

fn cancel(server: &Server, recorder: &Recorder, job: i64) {
    let call = recorder.call();
    recorder.record(&Event::Cancel { call, job });
    let answer = Ok(server.post_empty(&format!("/v1/jobs/{job}/cancel")));
    recorder.answer(call, &answer, |body| Event::Cancelled {
        call,
        state: body["state"].as_str().unwrap().into(),
    });
}
