//! Reference measurements: SQLite alone on the same tables, on one connection.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::backlog::PAYLOAD;

/// Number of jobs per transaction while draining.
const DRAIN_GROUP: usize = 500;
/// Number of jobs per transaction while inserting.
const INSERT_GROUP: usize = 1_000;

/// Opens a connection with the same settings as the server's.
pub fn open(database: &Path) -> Connection {
    let connection = Connection::open(database).expect("the database opens");
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536",
        )
        .expect("settings");
    let mode = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get::<_, String>(0));
    assert_eq!(mode.expect("a mode"), "wal");
    connection
}

/// Leases, finishes and stores the results of `jobs` jobs. Returns jobs per second.
pub fn drain(connection: &Connection, jobs: usize) -> f64 {
    let mut lease = connection
        .prepare(
            "UPDATE jobs SET state = 2, attempt = attempt + 1, lease_token = lease_token + 1,
                 started_at = ?1, lease_expires_at = ?2
             WHERE state = 1 AND id IN (SELECT id FROM jobs
                 WHERE state = 1 AND lane = 0 AND queue_id = 1 AND provider_id IS NULL ORDER BY priority DESC, id LIMIT ?3)
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
    let started = Instant::now();
    let mut done = 0;
    while done < jobs {
        connection.execute_batch("BEGIN IMMEDIATE").expect("the transaction begins");
        let rows = lease.query_map((1, 300_000, DRAIN_GROUP as i64), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        });
        let rows: Result<Vec<_>, _> = rows.expect("leases").collect();
        let rows = rows.expect("rows");
        assert!(!rows.is_empty(), "the table has fewer queued jobs than expected");
        for (id, token, payload) in rows {
            assert_eq!(finish.execute((2, id, token)).expect("finished"), 1);
            result.execute((id, payload)).expect("stored");
            done += 1;
        }
        connection.execute_batch("COMMIT").expect("the transaction is committed");
    }
    jobs as f64 / started.elapsed().as_secs_f64()
}

/// Inserts jobs like those of submissions for the duration `span`. Returns jobs per second.
pub fn insert(connection: &Connection, span: Duration) -> f64 {
    let mut insert = connection
        .prepare(
            "INSERT INTO jobs (state, lane, queue_id, priority, max_attempts, created_at, run_at,
                 expires_at, at_most_once, timeout_ms, batch_id, backoff, tags, kind, payload)
             VALUES (1, 0, ?1, ?2, 5, ?3, ?4, NULL, 0, ?5, NULL, NULL, NULL,
                 ?6, ?7)",
        )
        .expect("SQL");
    let now = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    let now: i64 = connection.query_row(now, (), |row| row.get(0)).expect("the time");
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < span {
        connection.execute_batch("BEGIN IMMEDIATE").expect("the transaction begins");
        for _ in 0..INSERT_GROUP {
            insert.execute((1, 0, now, now, 300_000, "echo", PAYLOAD)).expect("inserted");
        }
        connection.execute_batch("COMMIT").expect("the transaction is committed");
        done += INSERT_GROUP;
    }
    done as f64 / started.elapsed().as_secs_f64()
}
