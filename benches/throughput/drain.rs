//! Draining a backlog through dispatcher and workers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::config::Config;
use longshore::job::queue::QueueChange;
use longshore::job::submission::JobDefaults;
use longshore::job::{Lane, NewJob, Submission, Timestamp};
use longshore::server::Handle;
use longshore::store::sqlite::SqliteWrites;
use longshore::store::{Submit, Write, WriteStore};
use rusqlite::Connection;

use crate::report::{Figure, Goal};
use crate::server;

const JOBS: usize = 100_000;
const GROUP: usize = 500;
const QUEUE: &str = "bench";

/// The backlog through the server, beside a bare loop over the same table.
pub fn run() -> Vec<Figure> {
    let bare = bare_loop();
    let served = server::in_system(drain());
    vec![Figure::new(
        "drain",
        "draining 100,000 queued echo jobs, results stored",
        (served, "jobs/s"),
        (bare, "a bare loop of the same three statements, 500 a transaction"),
        Some(Goal::AtLeast(0.4)),
    )]
}

/// Fills a new database with `count` queued jobs of one paused queue.
pub fn fill(config: &Config, queue: &str, count: usize) {
    let mut store = SqliteWrites::open(config).expect("it opens");
    let now = Timestamp::from_millis(0);
    let queue: longshore::job::QueueName = queue.parse().expect("a name");
    let change = QueueChange { paused: Some(true), ..QueueChange::default() };
    let pause = Write::Configure { queue: queue.clone(), change };
    store.commit(&[pause], now).expect("it is written");
    let payload = serde_json::json!({"user": 42, "text": "hello"});
    let submission = Submission::new("echo", &payload).expect("JSON");
    let submission = Submission { queue: Some(queue.to_string()), ..submission };
    let job = submission.check(Lane::Async, &JobDefaults::default(), now).expect("it is sound");
    let jobs: Arc<[NewJob]> = vec![job; 1_000].into();
    for _ in 0..count / jobs.len() {
        let write = Write::Submit(Submit { jobs: Arc::clone(&jobs), key: None, batch: None });
        store.commit(&[write], now).expect("it is written");
    }
}

async fn drain() -> f64 {
    let directory = server::directory();
    let config = Config { database: directory.path().join("bench.db"), ..Config::default() };
    fill(&config, QUEUE, JOBS);
    let running = server::start_in(directory, config);
    let handle = running.handle();
    let resume = QueueChange { paused: Some(false), ..QueueChange::default() };
    let began = Instant::now();
    handle.configure(QUEUE.parse().expect("a name"), resume).await.expect("it is resumed");
    until_completed(&handle, QUEUE, JOBS).await;
    let rate = JOBS as f64 / began.elapsed().as_secs_f64();
    running.server.stop();
    rate
}

/// Looks at the queue's counts until `count` jobs are completed.
pub async fn until_completed(handle: &Handle, queue: &str, count: usize) {
    loop {
        let queue = handle.queue(queue.parse().expect("a name")).await.expect("it is read");
        if queue.is_some_and(|queue| queue.jobs.completed >= count as i64) {
            return;
        }
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Lease, finish and result, on one connection, without anything around them.
fn bare_loop() -> f64 {
    let directory = server::directory();
    let config = Config { database: directory.path().join("bench.db"), ..Config::default() };
    fill(&config, QUEUE, JOBS);
    let connection = Connection::open(&config.database).expect("it opens");
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536",
        )
        .expect("settings");
    let mut lease = connection
        .prepare(
            "UPDATE jobs SET state = 2, attempt = attempt + 1, lease_token = lease_token + 1,
                 started_at = ?1, lease_expires_at = ?2
             WHERE state = 1 AND id IN (SELECT id FROM jobs
                 WHERE state = 1 AND lane = 0 AND queue_id = 1 ORDER BY priority DESC, id LIMIT ?3)
             RETURNING id, lease_token, payload",
        )
        .expect("SQL");
    let mut finish = connection
        .prepare(
            "UPDATE jobs SET state = 4, finished_at = ?1, lease_expires_at = NULL
             WHERE id = ?2 AND lease_token = ?3 AND state = 2",
        )
        .expect("SQL");
    let mut result = connection
        .prepare("INSERT INTO results (job_id, truncated, result) VALUES (?1, 0, ?2)")
        .expect("SQL");
    let began = Instant::now();
    let mut done = 0;
    while done < JOBS {
        connection.execute_batch("BEGIN IMMEDIATE").expect("it begins");
        let rows = lease.query_map((1, 300_000, GROUP as i64), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        });
        let rows: Result<Vec<_>, _> = rows.expect("leases").collect();
        for (id, token, payload) in rows.expect("rows") {
            assert_eq!(finish.execute((2, id, token)).expect("finished"), 1);
            result.execute((id, payload)).expect("stored");
            done += 1;
        }
        connection.execute_batch("COMMIT").expect("it is written");
    }
    JOBS as f64 / began.elapsed().as_secs_f64()
}
