//! T6: draining a backlog in tables that hold many other jobs.

use longshore::config::Config;
use longshore::job::Lane;
use rusqlite::Connection;

use crate::backlog::{self, Backlog, QUEUE};
use crate::drain;
use crate::report::{Figure, Goal, median_round};

/// Number of other jobs in each of the states completed, scheduled and queued.
const PER_STATE: i64 = 1_000_000;
const QUEUES: i64 = 10;

/// T6: the same backlog in a table with three million jobs of other queues, and in one without.
pub fn run() -> Vec<Figure> {
    let crowded = Backlog::new(|config| fill(config, true));
    let empty = Backlog::new(|config| fill(config, false));
    let mut rounds = Vec::new();
    for _ in 0..drain::ROUNDS {
        let without = drain::drain_rate(empty.copy());
        rounds.push((drain::drain_rate(crowded.copy()), without));
    }
    let (with, without) = median_round("T6", rounds);
    vec![Figure::new(
        "T6",
        "draining 200,000 jobs in a table with 3,000,000 others",
        (with, "jobs/s"),
        (without, "the same without the other jobs"),
        Some(Goal::AtLeast(0.85)),
    )]
}

/// Fills a database. The backlog is added last, so that its jobs are the newest.
fn fill(config: &Config, is_crowded: bool) {
    let others = (0..QUEUES).map(|number| format!("other{number}"));
    backlog::pause(config, others.chain([QUEUE.to_string()]));
    if is_crowded {
        let connection =
            Connection::open(crate::server::file_of(config)).expect("the database opens");
        add_others(&connection);
        check_counts(&connection);
        connection.close().expect("the database closes");
    }
    backlog::fill(config, QUEUE, Lane::Async, drain::JOBS);
}

/// Adds completed, scheduled and queued jobs, spread over the other queues. They need not survive a
/// crash, so they are written without a journal.
fn add_others(connection: &Connection) {
    let settings = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                    PRAGMA cache_size = -1000000; PRAGMA temp_store = MEMORY";
    connection.execute_batch(settings).expect("settings");
    let now = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    let now: i64 = connection.query_row(now, (), |row| row.get(0)).expect("the time");
    connection.execute_batch("BEGIN").expect("the transaction begins");
    // State, priority, attempt and token; `run_at`; `started_at` and `finished_at`.
    let completed = ("4, 0, 1, 1", "?2 - 60000 - n % 3600000", "?2 - 59000 - n % 3600000");
    let scheduled = ("0, 0, 0, 0", "?2 + 86400000 + n * 500", "NULL");
    let queued = ("1, n % 7 - 3, 0, 0", "?2 - 60000", "NULL");
    for (state, run_at, ended_at) in [completed, scheduled, queued] {
        let sql = format!(
            "WITH RECURSIVE numbers (n) AS
                 (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
             INSERT INTO jobs (state, priority, attempt, lease_token, lane, queue_id, max_attempts,
                 created_at, run_at, started_at, finished_at, at_most_once, timeout_ms, kind, payload)
             SELECT {state}, 0, (SELECT id FROM queues WHERE name = 'other' || (n % {QUEUES})), 5,
                 ?2 - 7200000, {run_at}, {ended_at}, {ended_at}, 0, 300000,
                 'echo', ?3
             FROM numbers"
        );
        let added = connection.execute(&sql, (PER_STATE, now, backlog::PAYLOAD)).expect("SQL");
        assert_eq!(added as i64, PER_STATE);
    }
    let results = "INSERT INTO results SELECT id, 0, payload FROM jobs WHERE state = 4 ORDER BY id";
    connection.execute(results, ()).expect("SQL");
    let counts = "UPDATE queue_counts SET jobs = ?1 WHERE state IN (0, 1, 4)
                  AND queue_id IN (SELECT id FROM queues WHERE name LIKE 'other%')";
    connection.execute(counts, [PER_STATE / QUEUES]).expect("SQL");
    connection.execute_batch("COMMIT").expect("the transaction is committed");
}

/// Checks that the counts of the queues match the rows.
fn check_counts(connection: &Connection) {
    let sql = "SELECT sum(counts.jobs), sum(counts.jobs != coalesce(rows.jobs, 0))
               FROM queue_counts AS counts LEFT JOIN
                   (SELECT queue_id, state, count(*) AS jobs FROM jobs GROUP BY 1, 2) AS rows
                   ON rows.queue_id = counts.queue_id AND rows.state = counts.state";
    let sums: (i64, i64) =
        connection.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?))).expect("SQL");
    assert_eq!(sums, (3 * PER_STATE, 0), "the counts of the queues are wrong");
}
