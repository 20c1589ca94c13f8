//! The SQLite backend as the suite sees it: a directory with a database file.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use longshore::config::Config;
use longshore::job::queue::StateCounts;
use longshore::job::{QueueName, State};
use longshore::store::sqlite::{SqliteReads, SqliteWrites};
use longshore::store::{OpenError, ReadStore, WriteStore};
use tempfile::TempDir;

use super::{Backend, BatchCells, JobCells, Store, Tables};

pub(crate) struct Sqlite {
    directory: TempDir,
}

impl Sqlite {
    pub(crate) fn fresh() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("longshore.db")
    }

    fn at_home(&self, config: &Config) -> Config {
        Config { database: self.path(), ..config.clone() }
    }

    /// A connection that the store knows nothing of.
    pub(crate) fn raw(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.path().to_str().unwrap()).unwrap();
        run(&mut connection, "PRAGMA busy_timeout = 5000").unwrap();
        run(&mut connection, "PRAGMA foreign_keys = ON").unwrap();
        connection
    }
}

/// Runs SQL that gives nothing.
pub(crate) fn run(connection: &mut SqliteConnection, sql: &str) -> QueryResult<()> {
    diesel::connection::SimpleConnection::batch_execute(connection, sql)
}

impl Store {
    /// An empty store, and its database for the test to look into.
    pub(crate) fn on_sqlite() -> (Self, Arc<Sqlite>) {
        let database = Arc::new(Sqlite::fresh());
        (Self::on(database.clone(), Config::default()), database)
    }
}

impl Backend for Arc<Sqlite> {
    fn open(&self, config: &Config) -> Result<Box<dyn WriteStore>, OpenError> {
        (**self).open(config)
    }

    fn reads(&self) -> Box<dyn ReadStore> {
        (**self).reads()
    }

    fn tables(&self) -> Tables {
        (**self).tables()
    }
}

impl Backend for Sqlite {
    fn open(&self, config: &Config) -> Result<Box<dyn WriteStore>, OpenError> {
        Ok(Box::new(SqliteWrites::open(&self.at_home(config))?))
    }

    fn reads(&self) -> Box<dyn ReadStore> {
        Box::new(SqliteReads::open(&self.at_home(&Config::default())).unwrap())
    }

    fn tables(&self) -> Tables {
        let connection = &mut self.raw();
        Tables {
            damage: damage(connection),
            jobs: jobs(connection),
            queue_counts: queue_counts(connection),
            batches: batches(connection),
            tags: tags(connection),
            results: results(connection),
            submissions: submissions(connection),
        }
    }
}

#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    words: String,
}

fn damage(connection: &mut SqliteConnection) -> Vec<String> {
    let checks = [
        "SELECT integrity_check AS words FROM pragma_integrity_check
         WHERE integrity_check != 'ok'",
        "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' refers to no ' || parent AS words
         FROM pragma_foreign_key_check",
    ];
    let found = checks.map(|sql| diesel::sql_query(sql).load::<Words>(connection).unwrap());
    found.into_iter().flatten().map(|row| row.words).collect()
}

#[derive(QueryableByName)]
struct JobRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = BigInt)]
    state: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    batch_id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    tags: Option<String>,
}

fn jobs(connection: &mut SqliteConnection) -> Vec<JobCells> {
    let sql = "SELECT jobs.id, queues.name AS queue, state, batch_id, tags
         FROM jobs NOT INDEXED JOIN queues ON queues.id = jobs.queue_id";
    let rows: Vec<JobRow> = diesel::sql_query(sql).load(connection).unwrap();
    let cells = rows.into_iter().map(|row| JobCells {
        id: row.id,
        queue: name(&row.queue),
        state: state(row.state),
        batch: row.batch_id,
        tags: row.tags.map(|tags| serde_json::from_str(&tags).unwrap()).unwrap_or_default(),
    });
    cells.collect()
}

fn name(text: &str) -> QueueName {
    text.parse().unwrap()
}

fn state(code: i64) -> State {
    State::from_code(code).unwrap()
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = BigInt)]
    state: i64,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

fn queue_counts(connection: &mut SqliteConnection) -> Vec<(QueueName, State, i64)> {
    let sql = "SELECT queues.name AS queue, state, jobs
         FROM queues LEFT JOIN queue_counts ON queue_counts.queue_id = queues.id";
    let rows: Vec<CountRow> = diesel::sql_query(sql).load(connection).unwrap();
    rows.into_iter().map(|row| (name(&row.queue), state(row.state), row.jobs)).collect()
}

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::sqlite::Sqlite))]
struct BatchRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    scheduled: i64,
    #[diesel(sql_type = BigInt)]
    queued: i64,
    #[diesel(sql_type = BigInt)]
    running: i64,
    #[diesel(sql_type = BigInt)]
    retrying: i64,
    #[diesel(sql_type = BigInt)]
    completed: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    finished_at: Option<i64>,
}

fn batches(connection: &mut SqliteConnection) -> Vec<BatchCells> {
    let rows: Vec<BatchRow> = diesel::sql_query("SELECT * FROM batches").load(connection).unwrap();
    let cells = rows.into_iter().map(|row| BatchCells {
        id: row.id,
        total: row.total,
        counts: StateCounts {
            scheduled: row.scheduled,
            queued: row.queued,
            running: row.running,
            retrying: row.retrying,
            completed: row.completed,
            failed: row.failed,
            cancelled: row.cancelled,
        },
        finished_at: row.finished_at,
    });
    cells.collect()
}

#[derive(QueryableByName)]
struct TagRow {
    #[diesel(sql_type = Text)]
    tag: String,
    #[diesel(sql_type = BigInt)]
    job_id: i64,
}

fn tags(connection: &mut SqliteConnection) -> Vec<(String, i64)> {
    let rows: Vec<TagRow> = diesel::sql_query("SELECT * FROM job_tags").load(connection).unwrap();
    rows.into_iter().map(|row| (row.tag, row.job_id)).collect()
}

#[derive(QueryableByName)]
struct ResultRow {
    #[diesel(sql_type = BigInt)]
    job_id: i64,
}

fn results(connection: &mut SqliteConnection) -> Vec<i64> {
    let sql = "SELECT job_id FROM results";
    let rows: Vec<ResultRow> = diesel::sql_query(sql).load(connection).unwrap();
    rows.into_iter().map(|row| row.job_id).collect()
}

#[derive(QueryableByName)]
struct SubmissionRow {
    #[diesel(sql_type = BigInt)]
    first_job_id: i64,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

fn submissions(connection: &mut SqliteConnection) -> Vec<(i64, i64)> {
    let sql = "SELECT first_job_id, jobs FROM submissions";
    let rows: Vec<SubmissionRow> = diesel::sql_query(sql).load(connection).unwrap();
    rows.into_iter().map(|row| (row.first_job_id, row.jobs)).collect()
}
