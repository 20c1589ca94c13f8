//! How soon a job starts on an idle server.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use longshore::config::Config;

use crate::load::{Connection, post};
use crate::report::{Figure, quantile};
use crate::{disk, server};

const SAMPLES: usize = 1_000;

/// From the first byte of a submission to its answer, and to the first line of its handler.
pub fn run() -> Vec<Figure> {
    let mut sync = disk::fdatasync_secs(SAMPLES);
    let (mut acknowledged, mut started) = server::in_system(measure());
    let mut figures = Vec::new();
    for (share, ids) in
        [(0.5, ["acknowledged_p50", "started_p50"]), (0.99, ["acknowledged_p99", "started_p99"])]
    {
        let reference = quantile(&mut sync, share) * 1e3;
        let samples = [&mut acknowledged, &mut started];
        let whats = ["idle server: submitted to acknowledged", "idle server: submitted to started"];
        for ((id, what), samples) in ids.into_iter().zip(whats).zip(samples) {
            let value = (quantile(samples, share) * 1e3, "ms");
            figures.push(Figure::new(id, what, value, (reference, "one fdatasync, ms"), None));
        }
    }
    figures
}

async fn measure() -> (Vec<f64>, Vec<f64>) {
    let running = server::start(Config::default());
    let mut connection = Connection::open(running.addr).await;
    let mut sent = HashMap::new();
    let mut acknowledged = Vec::new();
    // The first ones make the queue and warm the caches.
    for number in 0..(SAMPLES + 20) as u64 {
        let body = format!(r#"{{"kind":"stamp","payload":{number}}}"#);
        let request = post("/v1/jobs", "application/json", &body);
        let began = Instant::now();
        let (status, _) = connection.call(&request).await;
        acknowledged.push(began.elapsed().as_secs_f64());
        assert_eq!(status, 202);
        sent.insert(number, began);
        actix_web::rt::time::sleep(Duration::from_millis(3)).await;
    }
    let stamps = running.stamps.lock().expect("no panic").clone();
    let started = stamps.iter().filter(|(number, _)| *number >= 20);
    let started =
        started.map(|(number, at)| at.duration_since(sent[number]).as_secs_f64()).collect();
    running.server.stop();
    (acknowledged.split_off(20), started)
}
