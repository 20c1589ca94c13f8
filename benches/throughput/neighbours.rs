//! Isolation: the effect of one load on another.

use std::time::{Duration, Instant};

use longshore::job::{Lane, Submission};

use crate::load::{Connection, get, post};
use crate::report::{Figure, Goal, quantile};
use crate::{backlog, chat, server};

const BACKLOG: usize = 200_000;

/// Measures how soon the first job of a queue starts while another queue has a backlog of 200,000 jobs.
pub fn run() -> Vec<Figure> {
    let started = server::in_system(first_of_another_queue());
    let what = "start of the first job of a queue, while 200,000 jobs wait in another";
    let goal = Some(Goal::AtMost(1.0));
    vec![Figure::new("neighbours", what, (started * 1e3, "ms"), (20.0, "the limit, ms"), goal)]
}

async fn first_of_another_queue() -> f64 {
    let directory = server::directory();
    let config = backlog::config_in(&directory);
    backlog::fill(&config, "backlog", Lane::Async, BACKLOG);
    let running = server::start_in(directory, config);
    running.set_paused("backlog", false).await;
    let mut connection = Connection::open(running.addr).await;
    let mut worst: f64 = 0.0;
    // Each round submits the first job of a new queue.
    for number in 0..20_u64 {
        let body = format!(r#"{{"kind":"stamp","queue":"q{number}","payload":{number}}}"#);
        let submitted = Instant::now();
        let (status, _) = connection.call(&post("/v1/jobs", "application/json", &body)).await;
        assert_eq!(status, 202);
        let started = loop {
            let stamps = running.stamps.lock().expect("no panic").clone();
            match stamps.iter().find(|(stamped, _)| *stamped == number) {
                Some((_, at)) => break at.duration_since(submitted).as_secs_f64(),
                None => actix_web::rt::time::sleep(Duration::from_millis(1)).await,
            }
        };
        worst = worst.max(started);
    }
    let left = running.handle().queue("backlog".parse().expect("a valid name")).await;
    let left = left.expect("the queue is read").expect("the queue exists").jobs.queued;
    eprintln!("neighbours: {left} jobs of the backlog were still queued at the end");
    assert!(left > 0, "the backlog was drained before the end");
    running.server.stop();
    worst
}

/// Measures status requests while a blocking handler, a command and 1,000 model calls run.
pub fn status() -> Vec<Figure> {
    let mut samples = server::in_system(status_during_load());
    let p99 = quantile(&mut samples, 0.99) * 1e3;
    let what = "GET /v1/jobs/{id} during a blocking handler, a command and 1,000 model calls, p99";
    let goal = Some(Goal::AtMost(1.0));
    vec![Figure::new("status", what, (p99, "ms"), (20.0, "the limit, ms"), goal)]
}

async fn status_during_load() -> Vec<f64> {
    let (model, running) = chat::start(Duration::from_secs(1), 1_000).await;
    let handle = running.handle();
    let spin = Submission::new("spin", &()).expect("JSON");
    let spinning = handle.submit(spin).await.expect("submitted");
    let slow = Submission::new("command", &serde_json::json!({"name": "slow"})).expect("JSON");
    let slow = handle.submit(slow).await.expect("submitted");
    let calls = handle.submit_batch(None, vec![chat::chat_job(); 5_000], None).await;
    let calls = calls.expect("submitted").value.batch;
    let mut connection = Connection::open(running.addr).await;
    let mut samples = Vec::new();
    let mut id = 1;
    while handle.batch(calls.id).await.expect("the batch is read").finished_at.is_none() {
        for _ in 0..50 {
            id = id % 5_000 + 1;
            let started = Instant::now();
            let (status, _) = connection.call(&get(&format!("/v1/jobs/{id}"))).await;
            samples.push(started.elapsed().as_secs_f64());
            assert_eq!(status, 200);
            actix_web::rt::time::sleep(Duration::from_millis(1)).await;
        }
    }
    for id in [spinning.id, slow.id] {
        let job = handle.cancel(id).await.expect("the job is cancelled");
        assert!(job.started_at.is_some(), "job {id} did not run during the calls");
    }
    eprintln!(
        "status: {} samples, at most {} model calls at once",
        samples.len(),
        model.stats().peak_running
    );
    running.server.stop();
    model.stop().await;
    samples
}
