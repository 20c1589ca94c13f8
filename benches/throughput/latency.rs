//! T5: the latency of a submission on an idle server.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use longshore::config::Config;

use crate::disk;
use crate::drain::until_completed;
use crate::kit::Connection;
use crate::load::{BODY, Target, Until, post};
use crate::report::{Figure, Goal, quantile};
use crate::server::{self, Running};

const SAMPLES: usize = 1_000;
/// Number of samples at the start that are discarded.
const DISCARDED: usize = 20;
const PAUSE: Duration = Duration::from_millis(3);

/// Size at which SQLite reuses the write-ahead log from its start: 4,000 pages.
const WAL_SIZE: u64 = 4_000 * 4_096;

/// The samples of a run, in seconds.
#[derive(Default)]
struct Samples {
    acknowledged: Vec<f64>,
    started: Vec<f64>,
    synced: Vec<f64>,
}

/// T5: time from the first byte of a submission to its response, and to the start of its handler.
pub fn run() -> Vec<Figure> {
    let mut bare = disk::fdatasync_secs(SAMPLES);
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(&mut bare, share) * 1e3);
    eprintln!("T5: consecutive fdatasyncs take {p50:.3} ms each, p99 {p99:.3} ms");
    let mut samples = server::in_system(measure());
    let goals = [
        (0.5, 2.5, ["T5.acknowledged.p50", "T5.started.p50"]),
        (0.99, 6.0, ["T5.acknowledged.p99", "T5.started.p99"]),
    ];
    let mut figures = Vec::new();
    for (share, goal, ids) in goals {
        let reference = quantile(&mut samples.synced, share) * 1e3;
        let descriptions =
            ["idle server, from submission to response", "idle server, from submission to start"];
        let both = [&mut samples.acknowledged, &mut samples.started];
        for ((id, what), samples) in ids.into_iter().zip(descriptions).zip(both) {
            let value = (quantile(samples, share) * 1e3, "ms");
            let reference = (reference, "one fdatasync between the submissions, ms");
            figures.push(Figure::new(id, what, value, reference, Some(Goal::AtMost(goal))));
        }
    }
    figures
}

async fn measure() -> Samples {
    let running = server::start(Config::default());
    warm_up(&running).await;
    let addr = running.addr;
    let (sent, mut samples) = server::run_blocking(move || sample(addr)).await;
    until_completed(&running.handle(), "default", SAMPLES + DISCARDED).await;
    let stamps = running.stamps.lock().expect("no panic").clone();
    let started = stamps.iter().filter(|(number, _)| *number >= DISCARDED as u64);
    samples.started = started
        .map(|(number, at)| at.duration_since(sent[*number as usize]).as_secs_f64())
        .collect();
    assert_eq!(samples.started.len(), SAMPLES);
    running.server.stop();
    // The first samples include the creation of the queue and the opening of the connection.
    samples.acknowledged.drain(..DISCARDED);
    samples.synced.drain(..DISCARDED);
    samples
}

/// Runs a client that sends one submission after another, with one sync of the disk after each
/// response. Returns the time at which each submission was sent, and the samples.
fn sample(addr: SocketAddr) -> (Vec<Instant>, Samples) {
    let mut log = disk::SyncLog::with_pages(SAMPLES + DISCARDED);
    let mut connection = Connection::open(addr).expect("the server listens");
    let mut sent = Vec::new();
    let mut samples = Samples::default();
    for number in 0..SAMPLES + DISCARDED {
        let body = format!(r#"{{"kind":"stamp","payload":{number}}}"#);
        let request = post("/v1/jobs", "application/json", &body);
        let started = Instant::now();
        connection.send(&request).expect("the server reads");
        let response = connection.answer().expect("the server answers");
        samples.acknowledged.push(started.elapsed().as_secs_f64());
        assert_eq!(response.status, 202, "{response:?}");
        sent.push(started);
        sleep(PAUSE);
        samples.synced.push(log.write_and_sync());
        sleep(PAUSE);
    }
    (sent, samples)
}

/// Runs quick jobs until SQLite has reused the write-ahead log once, so that it no longer grows
/// during the measurement.
async fn warm_up(running: &Running) {
    let target = Target { addr: running.addr, connections: 16, status: 202 };
    let mut done = 0;
    let mut first = None;
    for _ in 0..100 {
        let request = post("/v1/jobs", "application/json", BODY);
        done += 500;
        server::run_blocking(move || target.call(Until::Made(500), move |_| request.clone())).await;
        until_completed(&running.handle(), "bench", done).await;
        let (size, reuses) = wal_size_and_reuses(running);
        if size >= WAL_SIZE && *first.get_or_insert(reuses) != reuses {
            eprintln!("T5: the write-ahead log was reused after {done} jobs");
            return;
        }
    }
    panic!("the write-ahead log was not reused within {done} jobs");
}

/// Returns the size of the write-ahead log, and the number of its reuses, which is in its header.
fn wal_size_and_reuses(running: &Running) -> (u64, u32) {
    let mut wal =
        File::open(running.database().with_extension("db-wal")).expect("a write-ahead log");
    let mut head = [0; 16];
    wal.read_exact(&mut head).expect("a header");
    let size = wal.metadata().expect("a size").len();
    let [.., a, b, c, d] = head;
    (size, u32::from_be_bytes([a, b, c, d]))
}
