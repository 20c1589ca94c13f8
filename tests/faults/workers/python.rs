//! Kills, pauses and restarts workers that run `examples/worker.py`.

mod kills;
pub(crate) mod process;

use serde_json::{Value, json};

use crate::history::{Event, Recorder, Submit, hash};
use crate::kit::{Server, eventually, with};
use crate::leases::calls::remote;
use process::{Worker, has_python};

/// Length of the leases of the workers, in seconds.
pub(crate) const LEASE_SECS: u32 = 2;
/// Returns a job whose effect is recorded and whose result is known in advance.
pub(crate) fn square(kind: &str, number: u32, seconds: f64) -> Value {
    let payload = json!({"number": number, "seconds": seconds});
    let fields = json!({"kind": kind, "payload": payload, "max_attempts": 100, "tags": [number.to_string()]});
    with(remote(0), &fields)
}

/// Submits a job that computes a square, records the submission, and returns the id.
pub(crate) fn submit(server: &Server, recorder: &Recorder, number: u32, seconds: f64) -> i64 {
    submit_kind(server, recorder, "square", number, seconds)
}

/// Does the same with one of several kinds that compute a square.
fn submit_kind(server: &Server, recorder: &Recorder, kind: &str, number: u32, seconds: f64) -> i64 {
    let (tag, has_effect) = (number.to_string(), true);
    let result = Some(hash(&json!(u64::from(number).pow(2))));
    let sent = Submit { tag, has_effect, result, ..Submit::default() };
    recorder.submit(server, &square(kind, number, seconds), sent)
}

/// Creates a history in a temporary directory.
pub(crate) fn history() -> (tempfile::TempDir, Recorder) {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(&directory.path().join("history.ndjson"));
    (directory, recorder)
}

/// Returns the number of events that match.
pub(crate) fn count(events: &[Event], matches: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| matches(event)).count()
}

#[test]
fn the_python_worker_reports_results_errors_progress_and_releases() {
    if !has_python() {
        return crate::kit::skip("python3 is not installed");
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
        eventually("progress is reported", || {
            (server.job(id)["progress"]["message"] == "waiting").then_some(id)
        })
    };
    let cancelled = waiting();
    server.post_empty(&format!("/v1/jobs/{cancelled}/cancel")).expect(200);
    let released = waiting();
    worker.stop();
    // The second job was released, which gives its attempt back. The first one ended at its next
    // progress report or at the stop of the worker.
    assert_eq!(server.wait_until_final(cancelled)["state"], "cancelled");
    let released = server.job(released);
    assert_eq!((&released["state"], &released["attempt"]), (&json!("queued"), &json!(0)));
    assert_eq!(worker.log().matches("WARNING").count(), 2, "{}", worker.log());
}

#[test]
fn a_job_that_cannot_run_now_runs_later_without_using_an_attempt() {
    if !has_python() {
        return crate::kit::skip("python3 is not installed");
    }
    let server = Server::start();
    let (_directory, recorder) = history();
    let mut worker = Worker::start(&server.url(), &recorder, 30, &["--threads", "1"]);
    let fields = json!({"kind": "later", "payload": {"seconds": 0.05}, "max_attempts": 1});
    let job = server.run(&with(remote(0), &fields));
    assert_eq!(
        (&job["state"], &job["attempt"], &job["result"], &job["failures"]),
        (&json!("completed"), &json!(1), &json!(1), &json!([]))
    );
    worker.stop();
}

#[test]
fn a_job_beside_one_with_odd_reports_runs_once_and_so_does_the_other() {
    if !has_python() {
        return crate::kit::skip("python3 is not installed");
    }
    let server = Server::start();
    let (_directory, recorder) = history();
    // The jobs take several times as long as their leases, so they run again if they are not renewed.
    let seconds = 3.5;
    let innocent = submit(&server, &recorder, 7, seconds);
    let odd = [false, true].map(|is_corrected| {
        let payload = json!({"seconds": seconds, "is_corrected": is_corrected});
        server.submit(&with(remote(0), &json!({"kind": "odd", "payload": payload})))
    });
    let mut worker = Worker::start(&server.url(), &recorder, 1, &["--threads", "3"]);
    let innocent = server.wait_until_final(innocent);
    let odd = odd.map(|id| server.wait_until_final(id));
    worker.stop();
    assert_eq!((&innocent["state"], &innocent["result"]), (&json!("completed"), &json!(49)));
    for job in [&innocent, &odd[0], &odd[1]] {
        let is_start = |event: &Event| matches!(event, Event::Start { job: started, .. } if json!(started) == job["id"]);
        assert_eq!(count(&recorder.events(), is_start), 1, "{job}");
        assert_eq!(job["attempt"], 1);
    }
    for (job, message) in odd.iter().zip(["caf\u{fffd}.txt", "caf\\udce9.txt"]) {
        let error = json!({"code": "ValueError", "message": "cannot read caf\\udce9.txt"});
        assert_eq!(job["error"], error);
        let traceback = job["attempts"][0]["traceback"].as_str().unwrap();
        assert!(traceback.contains("in odd") && traceback.contains("ValueError"), "{traceback}");
        assert_eq!(job["progress"], json!({"percent": 100.0, "message": message}));
    }
}
