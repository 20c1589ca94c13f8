//! Finishes that arrive late or repeatedly: a worker is paused past its lease (L1), or the answer to
//! its finish is lost (L3).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::fault_row::FaultRow;
use crate::history::check::check;
use crate::history::violation::Operation;
use crate::history::{Event, Recorder, table};
use crate::kit::leases::lease_action;
use crate::kit::{Response, Server, eventually};
use crate::leases::calls::{lease_one, remote};
use crate::proxy::{Delivery, Proxy};
use crate::workers::python::process::{Worker, has_python};
use crate::workers::python::{count, history, submit};

/// Returns `Some` if a worker has started a job.
fn has_started(recorder: &Recorder, id: i64) -> Option<()> {
    let events = recorder.events();
    events.iter().any(|event| matches!(event, Event::Start { job, .. } if *job == id)).then_some(())
}

/// Returns the number of refused finishes of a job.
fn refused(recorder: &Recorder, id: i64) -> usize {
    let events = recorder.events();
    let calls: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Finish { call, job, .. } if *job == id => Some(*call),
            _ => None,
        })
        .collect();
    count(
        &events,
        |event| matches!(event, Event::Refused { call, status: 409 } if calls.contains(call)),
    )
}

/// Completes a job through a proxy. Returns `None` if the answer was lost.
fn finish(proxy: &Proxy, leased: &Value, token: &Value, result: &Value) -> Option<Response> {
    let path = format!("/v1/leases/{}/complete", leased["id"]);
    proxy.post(&path, &json!({"lease_token": token, "result": result}))
}

#[test]
fn the_finish_of_a_worker_that_was_paused_past_its_lease_is_refused() {
    let what = "a worker is paused past its lease, and another finishes";
    let Some(mut row) = FaultRow::start("L1", what, (5, 100, "pauses")) else { return };
    if !has_python() {
        return row.skip("python3 is not installed");
    }
    let server = Server::start();
    let (_directory, recorder) = history();
    let proxy = Proxy::start(server.addr(), recorder.clone(), |_, _| Delivery::Delivered);
    let mut worker = Worker::start(&proxy.url(), &recorder, 1, &["--threads", "1"]);
    for number in 0..row.times {
        let id = submit(&server, &recorder, number, 0.2);
        eventually("the worker starts the job", || has_started(&recorder, id));
        worker.pause();
        let call = json!({"lease": "60s", "wait": "30s", "worker": "second"});
        let next = proxy.post("/v1/leases", &call).unwrap().expect(200)["jobs"][0].clone();
        assert_eq!((&next["id"], &next["lease_token"]), (&json!(id), &json!(2)));
        let square = json!(u64::from(number).pow(2));
        finish(&proxy, &next, &next["lease_token"], &square).unwrap().expect(200);
        let before = server.job(id);
        worker.resume();
        eventually("its finish is refused", || (refused(&recorder, id) > 0).then_some(()));
        let after = server.job(id);
        assert_eq!(before, after);
        assert_eq!((&after["result"], &after["attempt"]), (&json!(square), &json!(2)), "{after}");
    }
    let table = table::of_ended_jobs(&server);
    worker.stop();
    let demanded = [Operation::Submit, Operation::Lease, Operation::Start, Operation::Finish];
    assert_eq!(check(&recorder.events(), &table, &demanded), []);
    row.count("late finishes refused", row.times);
    row.count("late finishes accepted", 0);
    row.held();
}

#[test]
fn a_finish_whose_answer_was_lost_counts_once_however_often_it_is_repeated() {
    let what = "the answer to a finish is lost, and the finish repeated";
    let Some(mut row) = FaultRow::start("L3", what, (20, 2_000, "answers")) else { return };
    let mut server = Server::start();
    let (_directory, recorder) = history();
    let is_lossy = Arc::new(AtomicBool::new(false));
    let start = |server: &Server| {
        let is_lossy = Arc::clone(&is_lossy);
        Proxy::start(server.addr(), recorder.clone(), move |_, _| {
            if is_lossy.load(Ordering::SeqCst) { Delivery::Lost } else { Delivery::Delivered }
        })
    };
    let mut proxy = start(&server);
    let mut restarts = 0;
    for number in 0..row.times {
        let id = server.submit(&remote(number));
        let old = lease_one(&server, &json!({}));
        lease_action(&server, &old, "release", &json!({})).expect(200);
        let leased = lease_one(&server, &json!({}));
        let token = &leased["lease_token"];
        is_lossy.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            assert!(finish(&proxy, &leased, token, &json!("a")).is_none());
        }
        is_lossy.store(false, Ordering::SeqCst);
        if number % 10 == 9 {
            // A repeated finish must be recognised after a restart as well.
            server.kill();
            server.restart();
            proxy = start(&server);
            restarts += 1;
        }
        let known = finish(&proxy, &leased, token, &json!("a")).unwrap().expect(200);
        assert_eq!(known["repeated"], true, "{known}");
        finish(&proxy, &leased, token, &json!("b")).unwrap().problem(409);
        finish(&proxy, &leased, &old["lease_token"], &json!("a")).unwrap().problem(409);
        let job = server.job(id);
        assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!("a")));
    }
    row.count("repeated and known", row.times);
    row.count("other results refused", row.times);
    row.count("older tokens refused", row.times);
    row.count("restarts between", restarts);
    row.held();
}
