//! Kills and pauses workers in Python under load: those of `examples/worker.py`, and those of the Python client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::process::{Worker, client_python, has_python};
use super::{LEASE_SECS, count, history, submit_kind};
use crate::fault_row::FaultRow;
use crate::history::check::check;
use crate::history::table;
use crate::history::violation::Operation;
use crate::history::{Event, Recorder};
use crate::kit::http::Request;
use crate::kit::{Response, Server, eventually};
use crate::proxy::{Delivery, Proxy};

/// Operations that must have succeeded at least once.
const DEMANDED: [Operation; 6] = [
    Operation::Submit,
    Operation::Lease,
    Operation::Start,
    Operation::Effect,
    Operation::Finish,
    Operation::Fault,
];
/// Pause of a worker that is longer than its leases.
const PAUSE: Duration = Duration::from_secs(4);

/// Three workers of one program.
struct Fleet {
    start: fn(&str, &Recorder, u32, &[&str]) -> Worker,
    options: [&'static [&'static str]; 3],
    /// Number of processes in which the workers run jobs.
    processes: usize,
    kinds: &'static [&'static str],
}

/// Two workers run jobs in threads of their own process, and one runs them in three child processes.
const EXAMPLE: Fleet = Fleet {
    start: Worker::start,
    options: [&["--threads", "4"], &["--processes", "3"], &["--threads", "5"]],
    processes: 5,
    kinds: &["square"],
};

/// Each worker runs jobs in threads, in coroutines and in two child processes.
const CLIENT: Fleet = Fleet {
    start: Worker::start_client,
    options: [&["--threads", "3", "--processes", "2", "--coroutines", "3"]; 3],
    processes: 9,
    kinds: &["square", "square-in-coroutine", "square-in-process"],
};

/// Returns the number of processes that have started a job.
fn processes_at_work(recorder: &Recorder) -> usize {
    let names = recorder.events().into_iter().filter_map(|event| match event {
        Event::Start { worker, .. } => Some(worker),
        _ => None,
    });
    names.collect::<BTreeSet<String>>().len()
}

/// Returns whether a request completes at least one job.
fn is_complete(request: &Request) -> bool {
    let is_report = request.path == "/v1/leases/finish";
    let body = String::from_utf8_lossy(&request.body);
    request.path.ends_with("/complete") || is_report && body.contains("\"complete\"")
}

/// Returns the number of effects that came after their job had been leased again.
fn late_effects(events: &[Event]) -> usize {
    let (mut latest, mut late) = (BTreeMap::new(), 0);
    for event in events {
        match event {
            Event::Leased { leases, .. } => {
                latest.extend(leases.iter().map(|lease| (lease.job, lease.token)));
            }
            Event::Effect { job, token: Some(token), .. } => {
                late += usize::from(latest.get(job).is_some_and(|latest| token < latest));
            }
            _ => {}
        }
    }
    late
}

/// Kills and pauses the workers of a fleet until all jobs have ended, and checks the history.
fn run(row: &mut FaultRow, fleet: &Fleet) -> Vec<Event> {
    let server = Server::start();
    let (_directory, recorder) = history();
    let finishes = AtomicU32::new(0);
    let proxy = Proxy::start(server.addr(), recorder.clone(), move |request, _: &Response| {
        let is_lost = is_complete(request) && finishes.fetch_add(1, Ordering::SeqCst) % 25 == 24;
        if is_lost { Delivery::Lost } else { Delivery::Delivered }
    });
    for (number, kind) in (0..row.times).zip(fleet.kinds.iter().cycle()) {
        submit_kind(&server, &recorder, kind, number, 0.1);
    }
    let mut workers =
        fleet.options.map(|options| (fleet.start)(&proxy.url(), &recorder, LEASE_SECS, options));
    // Only a worker that has started a job can be late with it.
    eventually("all processes have started a job", || {
        (processes_at_work(&recorder) >= fleet.processes).then_some(())
    });
    let mut random = row.random();
    let (mut kills, mut pauses) = (0, 0);
    while server.queue("default")["jobs"]["queued"].as_u64() > Some(50) {
        std::thread::sleep(Duration::from_millis(random.within(&(200..600))));
        let index = usize::try_from(random.below(3)).unwrap();
        // Every third fault is a pause, so that even a short run has pauses and kills.
        if (kills + pauses) % 3 == 0 {
            recorder.record(&Event::Fault { what: "pause".into() });
            workers[index].pause();
            std::thread::sleep(PAUSE);
            workers[index].resume();
            pauses += 1;
        } else {
            recorder.record(&Event::Fault { what: "kill".into() });
            workers[index].kill();
            let options = fleet.options[index];
            workers[index] = (fleet.start)(&proxy.url(), &recorder, LEASE_SECS, options);
            kills += 1;
        }
    }
    let table = table::of_ended_jobs(&server);
    for worker in &mut workers {
        worker.stop();
    }
    let events = recorder.events();
    assert_eq!(check(&events, &table, &DEMANDED), []);
    assert!(table.values().all(|job| job.state == "completed"));
    let repeated =
        count(&events, |event| matches!(event, Event::Finished { is_repeated: true, .. }));
    let accepted =
        count(&events, |event| matches!(event, Event::Finished { is_repeated: false, .. }));
    assert!(kills > 0 && pauses > 0 && repeated > 0);
    row.count("kills", kills);
    row.count("pauses", pauses);
    row.count("finishes accepted", accepted);
    row.count("repeated", repeated);
    row.count("finished twice", 0);
    events
}

/// Returns the number of finishes that were refused because their lease was stale.
fn stale_finishes(events: &[Event]) -> usize {
    count(events, |event| matches!(event, Event::Refused { status: 409, .. }))
}

#[test]
fn every_job_is_finished_once_although_workers_are_killed_and_paused() {
    let what = "workers in Python are killed or paused past their leases, and answers to finishes are lost";
    let Some(mut row) = FaultRow::start("worker", what, (1_000, 20_000, "jobs")) else { return };
    if !has_python() {
        return row.skip("python3 is not installed");
    }
    let stale = stale_finishes(&run(&mut row, &EXAMPLE));
    assert!(stale > 0);
    row.count("late ones refused", stale);
    row.held();
}

#[test]
fn every_job_of_the_python_client_is_finished_once_although_workers_are_killed_and_paused() {
    let what = "workers of the Python client are killed or paused past their leases, and answers to finishes are lost";
    let Some(mut row) = FaultRow::start("client", what, (1_000, 20_000, "jobs")) else { return };
    if !client_python().is_file() {
        return row.skip("the libraries of the Python client are not installed");
    }
    let events = run(&mut row, &CLIENT);
    let pauses = count(&events, |event| matches!(event, Event::Fault { what } if what == "pause"));
    let late = late_effects(&events);
    // A task asks whether its lease is valid just before its effect. Only a pause between the two makes it late.
    assert!(late <= pauses, "{late} late effects after {pauses} pauses");
    row.count("late ones refused", stale_finishes(&events));
    row.count("late effects", late);
    row.held();
}
