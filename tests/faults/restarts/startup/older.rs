//! A database of an older release, created by the first migration alone.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

/// Number of jobs in the database: half of them are queued, and half were running.
pub(super) const JOBS: i64 = 200;

/// Contents of a database.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    /// Versions of the migrations that its table of migrations lists.
    pub(super) versions: Vec<String>,
    schema: Vec<String>,
    damage: Vec<String>,
    jobs: Vec<String>,
}

/// Creates the database.
pub(super) fn make(path: &Path) {
    let mut connection = connect(path);
    connection.batch_execute("PRAGMA journal_mode = WAL").unwrap();
    migrate(&mut connection, 1);
    let jobs = format!(
        "INSERT INTO queues (id, name, created_at) VALUES (1, 'default', 1);
         INSERT INTO queue_counts VALUES
             (1, 0, 0), (1, 1, {0}), (1, 2, {0}), (1, 3, 0), (1, 4, 0), (1, 5, 0), (1, 6, 0);
         WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 2 * {0})
         INSERT INTO jobs (id, state, lane, queue_id, priority, attempt, max_attempts, lease_token,
             lease_expires_at, created_at, run_at, started_at, at_most_once, timeout_ms,
             backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter, kind, payload)
         SELECT id, 1 + id % 2, 0, 1, 0, id % 2, 5, id % 2,
             iif(id % 2, 9000000000000, NULL), 1, 1, iif(id % 2, 1, NULL), 0, 300000,
             1000, 2, 600000, 0.2, 'echo', id FROM ids",
        JOBS / 2
    );
    connection.batch_execute(&jobs).unwrap();
}

/// Reads a copy of a database and of its write-ahead log, so that the original is not changed.
pub(super) fn read(path: &Path) -> Contents {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    std::fs::copy(path, &copy).unwrap();
    let log = format!("{}-wal", path.display());
    if Path::new(&log).exists() {
        std::fs::copy(log, directory.path().join("copy.db-wal")).unwrap();
    }
    contents(&mut connect(&copy))
}

/// Returns the contents of a database without jobs after the first `count` migrations.
pub(super) fn expected(count: usize) -> Contents {
    let mut connection = SqliteConnection::establish(":memory:").unwrap();
    migrate(&mut connection, count);
    contents(&mut connection)
}

impl Contents {
    /// Returns whether the database is undamaged, has every job, and has exactly the schema that its
    /// migrations create.
    pub(super) fn is_whole(&self) -> bool {
        let Contents { versions, schema, .. } = expected(self.versions.len());
        let ids: Vec<String> = (1..=JOBS).map(|id| id.to_string()).collect();
        *self == Contents { versions, schema, damage: vec!["ok".into()], jobs: ids }
    }
}

fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

/// Runs the first `count` migrations and adds each to the table of migrations, as the server does.
fn migrate(connection: &mut SqliteConnection, count: usize) {
    let table = "CREATE TABLE __diesel_schema_migrations (
        version VARCHAR(50) PRIMARY KEY NOT NULL,
        run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";
    connection.batch_execute(table).unwrap();
    connection.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
    for (version, sql) in migrations().into_iter().take(count) {
        connection.batch_execute(&sql).unwrap();
        let insert =
            format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
        connection.batch_execute(&insert).unwrap();
    }
}

/// Returns the version and the SQL of each migration, in order.
fn migrations() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap());
    let migration = |folder: std::fs::DirEntry| {
        let name = folder.file_name().into_string().unwrap();
        let version = name.split('_').next().unwrap().replace('-', "");
        (version, std::fs::read_to_string(folder.path().join("up.sql")).unwrap())
    };
    let mut migrations: Vec<(String, String)> = folders.map(migration).collect();
    migrations.sort();
    migrations
}

fn contents(connection: &mut SqliteConnection) -> Contents {
    let mut texts =
        |sql: &str| -> Vec<String> { diesel::dsl::sql::<Text>(sql).load(connection).unwrap() };
    Contents {
        versions: texts("SELECT version FROM __diesel_schema_migrations ORDER BY version"),
        // Diesel creates the table of migrations itself.
        schema: texts(
            "SELECT type || ' ' || name || ' ' || sql FROM sqlite_schema
             WHERE sql IS NOT NULL AND name NOT IN ('__diesel_schema_migrations', 'sqlite_sequence')
             ORDER BY name",
        ),
        damage: texts("SELECT integrity_check FROM pragma_integrity_check"),
        jobs: texts("SELECT CAST(id AS TEXT) FROM jobs ORDER BY id"),
    }
}

#[test]
fn a_half_migrated_database_is_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("older.db");
    make(&path);
    assert!(read(&path).is_whole());
    connect(&path).batch_execute("ALTER TABLE jobs ADD COLUMN half INTEGER").unwrap();
    assert!(!read(&path).is_whole());
}
