//! Response times of lists and pages of a server with 5,000,000 jobs.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Instant;

use longshore::config::Config;
use longshore::store::sqlite::SqliteWrites;
use rusqlite::Connection as Database;
use tempfile::TempDir;

use crate::load::{Connection, get};
use crate::report::{Figure, Goal, quantile};
use crate::{backlog, server};

const JOBS: u64 = 5_000_000;

/// Number of requests per path.
const ROUNDS: usize = 20;

/// Limit of each response time, in milliseconds.
const LIMIT: f64 = 50.0;

/// The requested paths: for each filter the first page, and a page far down.
///
/// The matching jobs are spread over the whole table, are at its old end only (`old`, `rare`), are
/// sparse (`sparse`), or do not exist (`nobody`).
const PATHS: &[&str] = &[
    "/v1/jobs",
    "/v1/jobs?limit=200&include=payload,result",
    "/v1/jobs?cursor=2500000",
    "/v1/jobs?state=scheduled",
    "/v1/jobs?state=scheduled&cursor=4000000",
    "/v1/jobs?state=queued",
    "/v1/jobs?state=queued&cursor=4000000",
    "/v1/jobs?state=running",
    "/v1/jobs?state=running&cursor=4000000",
    "/v1/jobs?state=retrying",
    "/v1/jobs?state=retrying&cursor=2500000",
    "/v1/jobs?state=completed",
    "/v1/jobs?state=completed&cursor=2500000",
    "/v1/jobs?state=failed",
    "/v1/jobs?state=failed&cursor=2500000",
    "/v1/jobs?state=cancelled",
    "/v1/jobs?state=cancelled&cursor=2500000",
    "/v1/jobs?queue=default",
    "/v1/jobs?queue=default&cursor=2500000",
    "/v1/jobs?queue=old",
    "/v1/jobs?queue=sparse",
    "/v1/jobs?queue=nobody",
    "/v1/jobs?kind=echo",
    "/v1/jobs?kind=echo&cursor=2500000",
    "/v1/jobs?kind=rare",
    "/v1/jobs?kind=nobody",
    "/v1/jobs?tag=red",
    "/v1/jobs?tag=red&cursor=2500000",
    "/v1/jobs?tag=old",
    "/v1/jobs?tag=nobody",
    "/v1/jobs?batch=1",
    "/v1/jobs?batch=100",
    "/v1/jobs?batch=100&cursor=1980100",
    "/v1/jobs?batch=9999",
    "/v1/jobs?state=failed&queue=mail",
    "/v1/jobs?state=failed&queue=old",
    "/v1/jobs?state=failed&queue=sparse",
    "/v1/jobs?state=completed&queue=old",
    "/v1/jobs?state=completed&queue=sparse",
    "/v1/jobs?state=queued&queue=old",
    "/v1/jobs?state=queued&queue=mail&cursor=4000000",
    "/v1/jobs?state=scheduled&queue=old",
    "/v1/jobs?state=running&queue=hooks",
    "/v1/jobs?state=running&queue=old",
    "/v1/jobs?state=failed&kind=chat",
    "/v1/jobs?state=failed&kind=rare",
    "/v1/jobs?state=completed&kind=rare",
    "/v1/jobs?state=queued&kind=rare",
    "/v1/jobs?state=queued&kind=nobody",
    "/v1/jobs?state=queued&kind=chat&cursor=4000000",
    "/v1/jobs?state=running&kind=command",
    "/v1/jobs?queue=mail&kind=chat",
    "/v1/jobs?queue=mail&kind=chat&cursor=2500000",
    "/v1/jobs?queue=default&kind=rare",
    "/v1/jobs?queue=old&kind=rare",
    "/v1/jobs?tag=red&state=failed",
    "/v1/jobs?tag=red&state=running",
    "/v1/jobs?tag=red&state=queued&cursor=4000000",
    "/v1/jobs?tag=old&state=completed",
    "/v1/jobs?tag=old&state=queued",
    "/v1/jobs?tag=red&queue=sparse",
    "/v1/jobs?tag=red&queue=old",
    "/v1/jobs?tag=old&kind=rare",
    "/v1/jobs?tag=blue&kind=echo",
    "/v1/jobs?tag=blue&kind=echo&state=completed&queue=default",
    "/v1/jobs?batch=100&state=completed",
    "/v1/jobs?batch=100&state=failed",
    "/v1/jobs?batch=100&state=cancelled",
    "/v1/jobs?batch=1&state=queued",
    "/v1/jobs?batch=100&kind=rare",
    "/v1/jobs/2500000",
    "/v1/queues",
    "/v1/queues/default",
    "/v1/batches",
    "/v1/batches?cursor=100",
    "/v1/batches/100",
    "/",
    "/jobs",
    "/jobs?state=queued",
    "/jobs?state=failed",
    "/jobs?queue=mail&state=failed",
    "/jobs?kind=rare",
    "/jobs?tag=red&state=failed",
    "/jobs?tag=blue&kind=echo",
    "/jobs?batch=100",
    "/jobs/1",
    "/jobs/2500000",
    "/queues/default",
    "/queues/sparse",
    "/batches",
    "/batches/1",
    "/batches/100",
    "/submit",
    "/demo",
];

/// Requests all paths in turn and reports the slowest response.
pub fn run() -> Vec<Figure> {
    let directory = server::directory();
    let started = Instant::now();
    fill(&directory);
    eprintln!("pages: {JOBS} jobs inserted in {:.0} s", started.elapsed().as_secs_f64());
    let responses = server::in_system(request_all(directory));
    let mut slowest: f64 = 0.0;
    println!();
    let head = ["path", "jobs", "first", "p50", "max", "of 50 ms"];
    let [path, jobs, first, median, max, share] = head;
    println!("{path:<60}  {jobs:>4}  {first:>9}  {median:>9}  {max:>9}  {share:>8}");
    for path in PATHS {
        let Responses { jobs, mut millis } = responses[path].clone();
        // A path that was slow only at its first request had to read from the disk.
        let first = millis[0];
        let max = quantile(&mut millis, 1.0);
        let median = quantile(&mut millis, 0.5);
        let share = max / LIMIT;
        println!(
            "{path:<60}  {jobs:>4}  {first:>6.2} ms  {median:>6.2} ms  {max:>6.2} ms  {share:>8.3}"
        );
        slowest = slowest.max(max);
    }
    let what = "the slowest response of 20 for any list or page, with 5,000,000 jobs";
    let goal = Some(Goal::AtMost(1.0));
    vec![Figure::new("pages", what, (slowest, "ms"), (LIMIT, "the limit, ms"), goal)]
}

/// Creates the database and syncs it to disk.
fn fill(directory: &TempDir) {
    let config = backlog::config_in(directory);
    drop(SqliteWrites::open(&config).expect("the database opens"));
    let database = Database::open(server::file_of(&config)).expect("the database opens");
    let settings = format!(
        "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA foreign_keys = OFF; PRAGMA cache_size = -200000;
         CREATE TEMP TABLE fill AS
         SELECT {JOBS} AS jobs, CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now;"
    );
    database.execute_batch(&settings).expect("settings");
    database.execute_batch(include_str!("pages/fill.sql")).expect("the database is filled");
    drop(database);
    File::open(server::file_of(&config))
        .and_then(|file| file.sync_all())
        .expect("the database is synced");
}

/// The responses to the requests of one path.
#[derive(Clone, Default)]
struct Responses {
    /// Number of jobs in the last response.
    jobs: usize,
    /// Response times, in milliseconds.
    millis: Vec<f64>,
}

/// Requests all paths in turn, so that no request profits from the cache of the one before.
async fn request_all(directory: TempDir) -> BTreeMap<&'static str, Responses> {
    let running = server::start_in(directory, Config::default());
    let mut responses = BTreeMap::<_, Responses>::new();
    let mut connection = Connection::open(running.addr).await;
    for _ in 0..ROUNDS {
        for path in PATHS {
            let request = get(path);
            let started = Instant::now();
            let (status, body) = connection.call(&request).await;
            let millis = started.elapsed().as_secs_f64() * 1e3;
            assert_eq!(status, 200, "{path}");
            let of_path = responses.entry(*path).or_default();
            of_path.jobs = count_jobs(body);
            of_path.millis.push(millis);
        }
    }
    running.server.stop();
    responses
}

/// Returns the number of jobs in a list; zero for any other response.
fn count_jobs(body: &[u8]) -> usize {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["jobs"].as_array().map_or(0, Vec::len)
}
