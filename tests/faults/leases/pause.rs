//! Pauses the server, or one flush of its disk, for longer than a lease (L2). No job may end twice,
//! and none may run again more than once.

use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::disk::tracer::Tracer;
use crate::fault_row::FaultRow;
use crate::history::check::check;
use crate::history::violation::Operation;
use crate::history::{Event, Submit, table};
use crate::kit::{Setup, eventually, sleep, with};
use crate::leases::calls::{complete, lease_one, remote};
use crate::proxy::{Delivery, Proxy};
use crate::workers::python::process::{Worker, has_python};
use crate::workers::python::{count, history, submit};

/// Length of the leases of the server's own jobs, the shortest that the configuration allows.
const LEASE_SECS: u32 = 5;
/// Number of jobs for the server and for the remote worker at each pause.
const JOBS: u32 = 40;

#[test]
fn a_server_that_is_paused_for_three_leases_runs_each_job_again_at_most_once() {
    let what = "the server is paused for three leases";
    let Some(mut row) = FaultRow::start("L2", what, (1, 20, "pauses")) else { return };
    if !has_python() {
        return row.skip("python3 is not installed");
    }
    let server = Setup::new().config(format!("lease = '{LEASE_SECS}s'")).start();
    let (_directory, recorder) = history();
    let proxy = Proxy::start(server.addr(), recorder.clone(), |_, _| Delivery::Delivered);
    let options = ["--threads", &JOBS.to_string()];
    let mut worker = Worker::start(&proxy.url(), &recorder, LEASE_SECS, &options);
    let mut random = row.random();
    for pause in 0..row.times {
        for number in 0..JOBS {
            let number = pause * JOBS + number;
            // Some jobs end before the pause, some during it and some after it.
            submit(&server, &recorder, number, random.within(&(500..18_000)) as f64 / 1_000.0);
            let tag = format!("here-{number}");
            let duration = format!("{}ms", random.within(&(500..18_000)));
            let job = with(sleep(&duration), &json!({"tags": [tag]}));
            recorder.submit(&server, &job, Submit { tag, ..Submit::default() });
        }
        eventually("all run", || (server.queue("default")["jobs"]["queued"] == 0).then_some(()));
        recorder.record(&Event::Fault { what: "pause".into() });
        kill_process(server.pid(), Signal::STOP).unwrap();
        std::thread::sleep(Duration::from_secs(3 * u64::from(LEASE_SECS)));
        kill_process(server.pid(), Signal::CONT).unwrap();
        table::wait_until_all_end(&server);
    }
    let table = table::of_ended_jobs(&server);
    worker.stop();
    let demanded = [Operation::Submit, Operation::Lease, Operation::Finish, Operation::Effect];
    let events = recorder.events();
    assert_eq!(check(&events, &table, &demanded), []);
    assert!(table.values().all(|job| job.state == "completed" && job.attempt <= 2));
    let again = table.values().filter(|job| job.attempt > 1).count();
    row.count("jobs", table.len());
    row.count("run again", again);
    row.count("run again twice", 0);
    row.count(
        "late finishes refused",
        count(&events, |event| matches!(event, Event::Refused { .. })),
    );
    row.count("finished twice", 0);
    row.held();
}

/// Delay of the first flush in microseconds, which is longer than any lease of this test.
const STALL: &str = "delay_enter=8000000:when=1";

#[test]
fn a_commit_that_takes_longer_than_a_lease_does_not_lose_the_lease() {
    let what = "a flush takes longer than the leases that it stores";
    let Some(mut row) = FaultRow::start("L2", what, (1, 20, "flushes")) else { return };
    let mut again = 0;
    for _ in 0..row.times {
        let server = Setup::new().config(format!("lease = '{LEASE_SECS}s'")).start();
        server.run(&sleep("1ms"));
        let tracer = Tracer::flushes(server.pid(), server.directory(), STALL);
        let tracer = match tracer {
            Ok(tracer) => tracer,
            Err(why) => return row.skip(&why),
        };
        let once = json!({"at_most_once": true});
        let jobs = json!([with(sleep("3s"), &once), with(remote(1), &once)]);
        std::thread::scope(|scope| {
            let leased = scope.spawn(|| lease_one(&server, &json!({"lease": "4s"})));
            scope.spawn(|| server.post("/v1/jobs", &jobs).expect(202));
            let leased = leased.join().unwrap();
            // Gives a rescue time to happen that was decided before the lease was granted.
            std::thread::sleep(Duration::from_millis(2_500));
            complete(&server, &leased, 1).expect(200);
        });
        let here = server.wait_until_final(2);
        assert_eq!((&here["state"], &here["attempt"]), (&json!("completed"), &json!(1)), "{here}");
        assert_eq!(server.job(3)["state"], "completed");
        drop(tracer);
        again += here["attempt"].as_i64().unwrap() - 1;
    }
    row.count("run again", again);
    row.held();
}
