//! `examples/worker.py`, a worker of somebody's own: killed, paused past its leases and restarted.

pub(crate) mod process;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::history::check::check;
use crate::history::table::{self, Table};
use crate::history::violation::Operation;
use crate::history::{Event, Recorder, Submit, hash};
use crate::kit::target::Request;
use crate::kit::{Response, Server, eventually, with};
use crate::lease_calls::remote;
use crate::proxy::{Fate, Proxy};
use crate::random::Random;
use crate::row::Row;
use process::{Worker, python};

/// What must have succeeded.
const DEMANDED: [Operation; 6] = [
    Operation::Submit,
    Operation::Lease,
    Operation::Start,
    Operation::Effect,
    Operation::Finish,
    Operation::Fault,
];
/// The leases of the workers, in seconds, and a pause that they do not survive.
pub(crate) const LEASE_SECS: u32 = 2;
const PAUSE: Duration = Duration::from_secs(4);
/// In how many processes three workers run jobs: two in their own, one in three more.
const PROCESSES: usize = 5;

/// A job whose effect is recorded and whose result is known.
pub(crate) fn square(number: u32, seconds: f64) -> Value {
    let payload = json!({"number": number, "seconds": seconds});
    let fields = json!({"kind": "square", "payload": payload, "max_attempts": 100, "tags": [number.to_string()]});
    with(remote(0), &fields)
}

/// Submits the square of a number, and writes that down.
pub(crate) fn submit(server: &Server, recorder: &Recorder, number: u32, seconds: f64) -> i64 {
    let call = recorder.call();
    let (tag, has_effect) = (number.to_string(), true);
    let result = Some(hash(&json!(u64::from(number).pow(2))));
    recorder.record(&Event::Submit(Submit { call, tag, has_effect, result, ..Submit::default() }));
    let answer = server.post("/v1/jobs", &square(number, seconds));
    let id = answer.expect(202)["id"].as_i64().unwrap();
    recorder.record(&Event::Submitted { call, job: id });
    id
}

/// Waits until no job is live.
pub(crate) fn all_end(server: &Server) -> Table {
    eventually("every job ends", || {
        let jobs = server.queue("default")["jobs"].clone();
        let live = ["queued", "running", "retrying", "scheduled"];
        live.iter().all(|state| jobs[state] == 0).then_some(())
    });
    table::of(server)
}

/// A history beside nothing that breaks.
pub(crate) fn history() -> (tempfile::TempDir, Recorder) {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(&directory.path().join("history.ndjson"));
    (directory, recorder)
}

/// How often something stands in a history.
pub(crate) fn count(events: &[Event], is: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| is(event)).count()
}

/// How many processes have begun with a job.
fn at_work(recorder: &Recorder) -> usize {
    let names = recorder.events().into_iter().filter_map(|event| match event {
        Event::Start { worker, .. } => Some(worker),
        _ => None,
    });
    names.collect::<BTreeSet<String>>().len()
}

fn is_complete(request: &Request) -> bool {
    request.path.ends_with("/complete")
}

#[test]
fn a_thousand_jobs_are_finished_once_though_their_workers_are_killed_and_paused() {
    let what = "workers in Python killed, paused past their leases, answers to finishes lost";
    let Some(mut row) = Row::begin("worker", what, (1_000, 20_000, "jobs")) else { return };
    if !python() {
        return row.skip("there is no python3");
    }
    let server = Server::start();
    let (_directory, recorder) = history();
    let lost = std::sync::atomic::AtomicU32::new(0);
    let proxy = Proxy::start(server.addr(), recorder.clone(), move |request, _: &Response| {
        let is_lost = is_complete(request)
            && lost.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 25 == 24;
        if is_lost { Fate::Lost } else { Fate::Delivered }
    });
    for number in 0..row.times {
        submit(&server, &recorder, number, 0.1);
    }
    let forms = [["--threads", "4"], ["--processes", "3"], ["--threads", "5"]];
    let mut workers = forms.map(|form| Worker::start(&proxy.url(), &recorder, LEASE_SECS, &form));
    // One that has not begun holds nothing that could be late.
    eventually("all work", || (at_work(&recorder) >= PROCESSES).then_some(()));
    let (mut random, seed) = Random::of_this_run();
    let (mut kills, mut pauses) = (0, 0);
    while server.queue("default")["jobs"]["queued"].as_u64() > Some(50) {
        std::thread::sleep(Duration::from_millis(random.within(&(200..600))));
        let one = usize::try_from(random.below(3)).unwrap();
        // By turns, so that a short run has both.
        if (kills + pauses) % 3 == 0 {
            recorder.record(&Event::Fault { what: "pause".into() });
            workers[one].pause();
            std::thread::sleep(PAUSE);
            workers[one].resume();
            pauses += 1;
        } else {
            recorder.record(&Event::Fault { what: "kill".into() });
            workers[one].kill();
            workers[one] = Worker::start(&proxy.url(), &recorder, LEASE_SECS, &forms[one]);
            kills += 1;
        }
    }
    let table = all_end(&server);
    for worker in &mut workers {
        worker.stop();
    }
    let events = recorder.events();
    assert_eq!(check(&events, &table, &DEMANDED), []);
    assert!(table.values().all(|job| job.state == "completed"));
    let finishes = |is: fn(&Event) -> bool| count(&events, is);
    let stale = finishes(|event| matches!(event, Event::Refused { status: 409, .. }));
    let repeated = finishes(|event| matches!(event, Event::Finished { is_repeated: true, .. }));
    let accepted = finishes(|event| matches!(event, Event::Finished { is_repeated: false, .. }));
    assert!(kills > 0 && pauses > 0 && stale > 0 && repeated > 0);
    row.count("seed", seed);
    row.count("kills", kills);
    row.count("pauses", pauses);
    row.count("finishes accepted", accepted);
    row.count("repeated", repeated);
    row.count("late ones refused", stale);
    row.count("finished twice", 0);
    row.held();
}

#[test]
fn a_worker_in_python_says_what_became_of_a_job() {
    if !python() {
        return crate::kit::skip("there is no python3");
    }
    let server = Server::start();
    let (_directory, recorder) = history();
    let mut worker =
        Worker::start(&server.url(), &recorder, 1, &["--threads", "3", "--grace", "1"]);
    let fussy = |number: i32| {
        let backoff = json!({"initial": "10ms", "max": "10ms"});
        let fields = json!({"kind": "fussy", "payload": {"number": number}, "backoff": backoff});
        server.run(&with(remote(0), &fields))
    };
    let again = fussy(7);
    assert_eq!(
        (&again["state"], &again["attempt"], &again["result"]),
        (&json!("completed"), &json!(2), &json!(7))
    );
    assert_eq!(again["failures"][0]["code"], "OSError");
    let never = fussy(-1);
    assert_eq!((&never["state"], &never["attempt"]), (&json!("failed"), &json!(1)));
    assert_eq!(never["error"], json!({"code": "ValueError", "message": "negative"}));
    let waiting = || {
        let fields = json!({"kind": "wait", "payload": {"seconds": 300}, "timeout": "1h"});
        let id = server.submit(&with(remote(0), &fields));
        eventually("progress is told", || {
            (server.job(id)["progress"]["message"] == "waiting").then_some(id)
        })
    };
    let cancelled = waiting();
    server.post_empty(&format!("/v1/jobs/{cancelled}/cancel")).expect(200);
    let left = waiting();
    worker.stop();
    // One went back with its attempt; the other ended at its next step, or here.
    assert_eq!(server.finished(cancelled)["state"], "cancelled");
    let left = server.job(left);
    assert_eq!((&left["state"], &left["attempt"]), (&json!("queued"), &json!(0)));
    assert_eq!(worker.log().matches("WARNING").count(), 2, "{}", worker.log());
}
