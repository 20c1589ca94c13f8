//! Kills the server while it starts (D9): the next start must succeed and lose nothing.

mod older;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::fault_row::FaultRow;
use crate::history::violation::Operation;
use crate::history::{Event, Recorder, Submit, check::check, table};
use crate::kit::{Server, Setup, echo, eventually, sleep, with};
use crate::random::Random;
use crate::repeated_faults::assert_verified;

/// Maximum number of kills for each database.
const KILLS: u32 = 12;
/// Number of jobs that run when the server is killed.
const JOBS: u32 = 200;

#[test]
fn a_server_that_is_killed_during_its_start_can_start_again() {
    let what = "killed while it creates the tables";
    let Some(mut row) = FaultRow::start("D9", what, (3, 50, "databases")) else { return };
    for round in 0..u64::from(row.times) {
        let setup = Setup::new();
        // The pauses cover the time before, during and after the creation of the tables.
        for pause in 0..u64::from(KILLS) {
            kill_after(&setup, Duration::from_millis(3 * pause + round % 3));
        }
        let server = setup.start();
        assert_eq!(server.run(&echo(round))["result"], round);
    }
    row.count("kills", KILLS * row.times);
    row.held();
}

/// Starts a server and kills it after a pause. Panics if the server ends before that.
fn kill_after(setup: &Setup, pause: Duration) {
    let mut child = setup.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(pause);
    let exit_status = child.try_wait().unwrap();
    // Fails if the process has ended by itself.
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        exit_status.is_none(),
        "the server ended before it was killed, {exit_status:?}: {stderr}"
    );
}

/// Returns a random pause before the kill of a server that takes `start` to start.
///
/// Most pauses are short, because the tables are created and changed early in a start. One of eight
/// may be up to a second.
fn random_pause(random: &mut Random, start: Duration) -> Duration {
    let whole = if random.below(8) == 0 { Duration::from_secs(1) } else { start };
    let part = random.below(1_000) as f64 / 1_000.0;
    whole.mul_f64(part * part)
}

#[test]
fn a_database_is_never_half_migrated_when_the_server_is_killed_during_the_migration() {
    let what = "killed while an older database is migrated";
    let Some(mut row) = FaultRow::start("D9", what, (12, 300, "databases")) else { return };
    let mut random = row.random();
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("older.db");
    older::make(&template);
    let start = time_to_start(&template);
    let whole = older::expected(usize::MAX).versions;
    let (mut before, mut after) = (0, 0);
    for _ in 0..row.times {
        let setup = older_setup(&template);
        for _ in 0..KILLS {
            kill_after(&setup, random_pause(&mut random, start));
            let contents = older::read(&setup.directory().join("longshore.db"));
            assert!(contents.is_whole(), "{contents:?}");
            if contents.versions == whole {
                after += 1;
                break;
            }
            before += 1;
        }
        let mut server = setup.start();
        assert_all_complete(&server);
        server.kill();
        assert_verified(server.database());
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

/// Returns how long a server takes to start on an older database.
fn time_to_start(template: &Path) -> Duration {
    let setup = older_setup(template);
    let started = Instant::now();
    let server = setup.start();
    let took = started.elapsed();
    assert_all_complete(&server);
    took
}

/// Asserts that each job of the older database completes with its id as its result.
fn assert_all_complete(server: &Server) {
    for id in 1..=older::JOBS {
        let job = server.wait_until_final(id);
        assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!(id)), "{job}");
    }
}

#[test]
fn no_job_is_lost_when_the_server_is_killed_during_the_rescue() {
    let what = "killed while it rescues the jobs of a dead server";
    let Some(mut row) = FaultRow::start("D9", what, (1, 60, "databases")) else { return };
    let mut random = row.random();
    for _ in 0..row.times {
        kill_during_the_rescue(&mut random);
    }
    row.count("kills", KILLS * row.times);
    row.count("jobs", JOBS * row.times);
    row.count("lost", 0);
    row.held();
}

fn kill_during_the_rescue(random: &mut Random) {
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
    let started = Instant::now();
    server.restart();
    let start = started.elapsed();
    server.kill();
    for _ in 0..KILLS {
        kill_after(&setup(), random_pause(random, start));
    }
    server.restart();
    for id in ids {
        cancel(&server, &recorder, id);
    }
    let table = table::of_ended_jobs(&server);
    let demanded = [Operation::Submit, Operation::Cancel, Operation::Fault];
    assert_eq!(check(&recorder.events(), &table, &demanded), []);
    server.kill();
    assert_verified(&database);
}

/// Submits a job that sleeps for an hour. Every fourth job is an `at_most_once` job.
fn submit(server: &Server, recorder: &Recorder, number: u32) -> i64 {
    let (tag, at_most_once) = (number.to_string(), number.is_multiple_of(4));
    let fields = json!({"tags": [tag], "at_most_once": at_most_once, "max_attempts": 100});
    let job = with(sleep("1h"), &fields);
    recorder.submit(server, &job, Submit { tag, at_most_once, ..Submit::default() })
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
