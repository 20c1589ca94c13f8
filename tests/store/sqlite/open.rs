//! Opening a database: one process at a time, and tables whose constraints refuse invalid rows.

use diesel::sqlite::SqliteConnection;
use longshore::config::Config;
use longshore::store::OpenError;

use super::Store;
use crate::kit::backend::Backend;
use crate::kit::job;
use crate::kit::sqlite::{Sqlite, run};

#[test]
fn a_database_is_opened_by_one_process_at_a_time() {
    let (store, database) = Store::on_sqlite();
    let second = database.open(&Config::default()).err();
    assert!(matches!(second, Some(OpenError::InUse { .. })), "{second:?}");
    drop(store);
    assert!(database.open(&Config::default()).is_ok());
}

/// Returns the locks that this process holds on a database, by the list of the kernel.
fn held_locks(path: &std::path::Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", std::fs::metadata(path).unwrap().ino());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let held = locks.lines().filter(|lock| lock.contains(&inode));
    held.map(|lock| lock.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn nothing_that_this_process_does_to_a_served_database_drops_its_locks() {
    let (mut store, database) = Store::on_sqlite();
    store.submit(job());
    let path = database.path();
    let locks = held_locks(&path);
    assert!(
        locks.contains(&"POSIX".to_owned()) && locks.contains(&"FLOCK".to_owned()),
        "{locks:?}"
    );
    // Each of these opens the file by itself.
    assert!(database.open(&Config::default()).is_err());
    assert_eq!(database.faults(), [""; 0]);
    let copy = database.backup(longshore::job::Timestamp::from_millis(1));
    assert_eq!(held_locks(&path), locks);
    // Read connections stay open for longer than the write connection.
    let mut reads = database.reads();
    drop(store);
    reads.counts().unwrap();
    assert!(held_locks(&path).contains(&"POSIX".to_owned()), "{:?}", held_locks(&path));
    assert!(copy.open(&Config::default()).is_ok() && database.open(&Config::default()).is_ok());
}

#[test]
fn the_error_for_a_database_that_cannot_be_created_names_its_path() {
    let database = Sqlite::fresh();
    std::fs::create_dir(database.path()).unwrap();
    let error = database.open(&Config::default()).err().unwrap();
    let path = database.path().display().to_string();
    assert!(error.to_string().contains(&path), "{error}");
    let nowhere = Config { database: "/nowhere/at/all.db".into(), ..Config::default() };
    let error = longshore::store::sqlite::SqliteWrites::open(&nowhere).err().unwrap();
    assert!(matches!(error, OpenError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/at/all.db: No such file"), "{error}");
}

#[test]
fn a_checkpoint_moves_the_log_into_the_database_file() {
    let mut store = Store::fresh();
    store.submit(job());
    let checkpoint = store.reads.checkpoint().unwrap();
    assert!(checkpoint.log_pages > 0);
    assert_eq!(checkpoint.moved_pages, checkpoint.log_pages);
}

#[test]
fn the_database_has_a_write_ahead_log_and_enforces_references() {
    let (mut store, database) = Store::on_sqlite();
    store.submit(job());
    let connection = &mut database.raw();
    assert!(run(connection, "DELETE FROM queues").is_err(), "jobs refer to their queue");
    assert!(run(connection, "UPDATE jobs SET batch_id = 9").is_err(), "there is no batch 9");
    let log = database.path().with_extension("db-wal");
    assert!(log.exists(), "the write-ahead log is next to the database");
}

fn assert_refused(connection: &mut SqliteConnection, changes: &[&str]) {
    for change in changes {
        let changed = run(connection, &format!("UPDATE {change}"));
        assert!(changed.is_err(), "the constraints allow: UPDATE {change}");
    }
}

#[test]
fn the_tables_refuse_invalid_jobs() {
    let (mut store, database) = Store::on_sqlite();
    store.submit(job());
    let connection = &mut database.raw();
    assert_refused(
        connection,
        &[
            "jobs SET state = 7",
            "jobs SET state = 'queued'",
            "jobs SET lane = 4",
            "jobs SET priority = 101",
            "jobs SET attempt = -1",
            "jobs SET attempt = 4",
            "jobs SET max_attempts = 0",
            "jobs SET lease_token = -1",
            "jobs SET at_most_once = 2",
            "jobs SET timeout_ms = 0",
            "jobs SET progress_percent = 100.5",
            "jobs SET created_at = 'now'",
            "jobs SET kind = NULL",
            // Running without a lease, a lease without running.
            "jobs SET state = 2, lease_token = 1",
            "jobs SET lease_expires_at = 5",
            // Final without finished_at, finished_at without being final.
            "jobs SET state = 6",
            "jobs SET finished_at = 5",
            // A requested cancellation without running, completed without a lease.
            "jobs SET cancel_requested = 1",
            "jobs SET state = 4, finished_at = 5",
            // An error code without a message.
            "jobs SET error_code = 'lost'",
        ],
    );
}

#[test]
fn the_tables_refuse_invalid_queues_batches_and_keys() {
    let (mut store, database) = Store::on_sqlite();
    store.submit(job());
    let connection = &mut database.raw();
    run(connection, "BEGIN").unwrap();
    let rows = "INSERT INTO batches (total, queued, created_at) VALUES (1, 1, 0);
        INSERT INTO results VALUES (1, 0, '1');
        INSERT INTO attempts VALUES (1, 1, 1, 5, NULL, 0, NULL, 'a', 'b', NULL);
        INSERT INTO job_extras (job_id) VALUES (1);
        INSERT INTO submissions VALUES (0, 'k', 1, zeroblob(32), 1, 1, NULL, 0)";
    run(connection, rows).unwrap();
    assert_refused(
        connection,
        &[
            "queues SET name = ''",
            "queues SET paused = 2",
            "queues SET max_running = 0",
            "queues SET rate_limit = 5",
            "queues SET rate_limit = 0, rate_period_ms = 5",
            "queue_counts SET jobs = -1 WHERE state = 1",
            "queue_counts SET state = 7 WHERE state = 1",
            "batches SET queued = -1",
            "batches SET finished_at = 5",
            "batches SET queued = 0",
            "results SET truncated = 2",
            "results SET job_id = 9",
            "attempts SET attempt = 0",
            "attempts SET state = 3",
            "attempts SET code = NULL",
            "attempts SET code = NULL, message = NULL",
            "attempts SET job_id = 9",
            "job_extras SET attempts_granted = 0",
            "job_extras SET truncate_result = 2",
            "job_extras SET job_id = 9",
            "queue_counts SET entered = -1 WHERE state = 1",
            "submissions SET by_value = 2",
            "submissions SET fingerprint = zeroblob(31)",
            "submissions SET jobs = 0",
        ],
    );
    run(connection, "ROLLBACK").unwrap();
}
