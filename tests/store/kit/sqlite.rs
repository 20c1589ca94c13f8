//! The SQLite backend under test: a directory with a database file.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use diesel::sqlite::SqliteConnection;
use longshore::config::Config;
use longshore::job::{BatchId, JobId, Timestamp};
use longshore::store::sqlite::admin::backup::back_up;
use longshore::store::sqlite::admin::verify::verify;
use longshore::store::sqlite::{SqliteReads, SqliteWrites};
use longshore::store::{OpenError, ReadStore, WriteStore};
use tempfile::TempDir;

use super::backend::{Backend, Delivery};
use super::store::Store;

pub(crate) struct Sqlite {
    directory: TempDir,
}

impl Sqlite {
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("longshore.db")
    }

    fn configured(&self, config: &Config) -> Config {
        Config { database: self.path().into(), ..config.clone() }
    }

    /// Opens a connection to the database that bypasses the store.
    pub(crate) fn raw(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.path().to_str().unwrap()).unwrap();
        run(&mut connection, "PRAGMA busy_timeout = 5000").unwrap();
        run(&mut connection, "PRAGMA foreign_keys = ON").unwrap();
        connection
    }
}

/// Row of the table `deliveries`.
#[derive(QueryableByName)]
struct DeliveryRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    job_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    batch_id: Option<i64>,
}

/// Row of the table `batch_end_actions`.
#[derive(QueryableByName)]
struct FollowUpRow {
    #[diesel(sql_type = BigInt)]
    batch_id: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    then_id: Option<i64>,
}

/// Runs SQL statements that return no rows.
pub(crate) fn run(connection: &mut SqliteConnection, sql: &str) -> QueryResult<()> {
    diesel::connection::SimpleConnection::batch_execute(connection, sql)
}

/// Runs SQL statements with all constraints off.
pub(crate) fn corrupt(connection: &mut SqliteConnection, sql: &str) {
    run(connection, "PRAGMA foreign_keys = OFF").unwrap();
    run(connection, "PRAGMA ignore_check_constraints = ON").unwrap();
    run(connection, "PRAGMA writable_schema = ON").unwrap();
    run(connection, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

impl Store<Sqlite> {
    /// Creates an empty store, and returns its database as well, so that the test can read it directly.
    pub(crate) fn on_sqlite() -> (Self, Arc<Sqlite>) {
        let store = Self::fresh();
        let database = store.backend();
        (store, database)
    }
}

impl Backend for Sqlite {
    fn fresh() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn open(&self, config: &Config) -> Result<Box<dyn WriteStore>, OpenError> {
        Ok(Box::new(SqliteWrites::open(&self.configured(config))?))
    }

    fn reads(&self) -> Box<dyn ReadStore> {
        Box::new(SqliteReads::open(&self.configured(&Config::default())).unwrap())
    }

    fn faults(&self) -> Vec<String> {
        let report = verify(&self.path()).unwrap();
        assert_eq!(report.is_sound, report.checks.iter().all(|check| check.faults == 0));
        let descriptions = report.checks.iter().flat_map(|check| {
            check.examples.iter().map(|example| format!("{}: {example}", check.name))
        });
        descriptions.collect()
    }

    fn deliveries(&self) -> Vec<Delivery> {
        let sql = "SELECT id, job_id, batch_id FROM deliveries ORDER BY id";
        let rows: Vec<DeliveryRow> = diesel::sql_query(sql).load(&mut self.raw()).unwrap();
        let delivery = |DeliveryRow { id, job_id, batch_id }| {
            let (job, batch) = (job_id.map(JobId), batch_id.map(BatchId));
            Delivery { id: JobId(id), job, batch }
        };
        rows.into_iter().map(delivery).collect()
    }

    fn follow_ups_of_batches(&self) -> Vec<(BatchId, Option<JobId>)> {
        let sql = "SELECT batch_id, then_id FROM batch_end_actions ORDER BY batch_id";
        let rows: Vec<FollowUpRow> = diesel::sql_query(sql).load(&mut self.raw()).unwrap();
        rows.into_iter().map(|row| (BatchId(row.batch_id), row.then_id.map(JobId))).collect()
    }

    fn backup(&self, now: Timestamp) -> Self {
        let copy = Self::fresh();
        back_up(&self.path(), &copy.path(), false, now).unwrap();
        copy
    }

    fn run_sql(&self, sql: &str) {
        run(&mut self.raw(), sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn corrupt(&self, sql: &str) {
        corrupt(&mut self.raw(), sql);
    }
}
