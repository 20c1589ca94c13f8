//! Databases with queued jobs, made once and copied for each round.

use std::fs::{self, File};
use std::sync::Arc;

use longshore::config::Config;
use longshore::job::queue::QueueChange;
use longshore::job::submission::EffectiveDefaults;
use longshore::job::submission::on_end::OnEnd;
use longshore::job::submission::on_end::callback::Callback;
use longshore::job::{Lane, NewJob, QueueName, Submission, Timestamp};
use longshore::store::sqlite::SqliteWrites;
use longshore::store::{Submit, Write, WriteStore};
use tempfile::TempDir;

use crate::server;

/// The queue that is drained. It is the first one in its database.
pub const QUEUE: &str = "bench";

/// Payload and result of each job.
pub const PAYLOAD: &str = r#"{"user":42,"text":"hello"}"#;

/// A database that no server has open.
pub struct Backlog {
    directory: TempDir,
}

impl Backlog {
    /// Creates a database and fills it with `fill`.
    pub fn new(fill: impl FnOnce(&Config)) -> Self {
        let directory = server::directory();
        fill(&config_in(&directory));
        Self { directory }
    }

    /// Returns a copy that is synced to disk, so that its writeback does not disturb a measurement.
    pub fn copy(&self) -> TempDir {
        let directory = server::directory();
        let copy = server::file_of(&config_in(&directory));
        fs::copy(server::file_of(&config_in(&self.directory)), &copy)
            .expect("the database is copied");
        File::open(copy).and_then(|file| file.sync_all()).expect("the copy is synced");
        directory
    }
}

/// Returns a configuration with the database in `directory`.
pub fn config_in(directory: &TempDir) -> Config {
    Config { database: server::database_in(directory).into(), ..Config::default() }
}

/// Creates paused queues.
pub fn pause(config: &Config, queues: impl IntoIterator<Item = String>) {
    let mut store = SqliteWrites::open(config).expect("the database opens");
    let pause = |queue: String| {
        let change = QueueChange { paused: Some(true), ..QueueChange::default() };
        Write::Configure { queue: name(&queue), change }
    };
    let pauses: Vec<Write> = queues.into_iter().map(pause).collect();
    store
        .commit(&pauses.iter().collect::<Vec<_>>(), Timestamp::from_millis(0))
        .expect("the writes are committed");
}

/// Adds `count` queued jobs to a queue, which is paused. Creates the database and the queue if they
/// do not exist.
pub fn fill(config: &Config, queue: &str, lane: Lane, count: usize) {
    fill_with_callback(config, queue, lane, count, None);
}

/// Adds jobs as [`fill`] does, each with a webhook.
pub fn fill_with_callback(
    config: &Config,
    queue: &str,
    lane: Lane,
    count: usize,
    callback: Option<Callback>,
) {
    pause(config, [queue.to_string()]);
    let mut store = SqliteWrites::open(config).expect("the database opens");
    let now = Timestamp::from_millis(0);
    let payload: serde_json::Value = serde_json::from_str(PAYLOAD).expect("JSON");
    let submission = Submission::new("echo", &payload).expect("JSON");
    let submission = Submission { queue: Some(queue.to_string()), ..submission };
    let job = submission
        .check(lane, &EffectiveDefaults::default(), now)
        .expect("the submission is valid");
    let job = NewJob { on_end: OnEnd::new(callback, None), ..job };
    let jobs: Arc<[NewJob]> = vec![job; 1_000].into();
    for _ in 0..count / jobs.len() {
        let write = Write::Submit(Submit { jobs: Arc::clone(&jobs), key: None, batch: None });
        store.commit(&[&write], now).expect("the writes are committed");
    }
}

fn name(queue: &str) -> QueueName {
    queue.parse().expect("a valid name")
}
