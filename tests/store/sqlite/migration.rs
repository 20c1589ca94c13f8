//! Migrations of a database with jobs in every state, one of them impossible.

use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use longshore::config::Config;
use longshore::job::retry::Backoff;
use longshore::job::{BatchId, Job, JobId, NewJob, Span, State, Timestamp};
use longshore::store::sqlite::admin::verify::verify;
use longshore::store::{
    Answer, EndQuery, NewBatch, ReadStore, Refusal, SubmissionKey, Submit, Write, WriteStore,
};

use crate::kit::backend::Backend;
use crate::kit::sqlite::{Sqlite, corrupt, run};
use crate::kit::{START, job, lease_lines, leased, submit, submitted, with_providers};

/// Version of the last migration of which the databases here have the tables.
const OLD_VERSION: &str = "20261127000000";

/// Jobs 1 to 7 are in the states 0 to 6, job 8 is impossible, job 9 has been deleted.
const ROWS: &str = "
    INSERT INTO queues (id, name, created_at) VALUES (1, 'default', 1);
    INSERT INTO queue_counts VALUES
        (1, 0, 1), (1, 1, 2), (1, 2, 1), (1, 3, 1), (1, 4, 1), (1, 5, 1), (1, 6, 1);
    INSERT INTO jobs (id, state, lane, queue_id, priority, attempt, max_attempts, lease_token,
        lease_expires_at, created_at, run_at, started_at, finished_at, at_most_once, timeout_ms,
        backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter, error_code, error_message,
        tags, kind, payload)
    VALUES
    (1, 0, 0, 1, 0, 0, 5, 0, NULL, 1, 9000, NULL, NULL, 0, 300000, 1000, 2, 600000, 0.2, NULL, NULL,
        '[\"a\"]', 'echo', '{\"b\": 1.50}'),
    (2, 1, 0, 1, -7, 0, 5, 0, NULL, 2, 2, NULL, NULL, 1, 1234, 5, 1.5, 50, 0, NULL, NULL,
        NULL, 'echo', '2'),
    (3, 2, 3, 1, 0, 1, 5, 1, 60004, 3, 3, 4, NULL, 0, 300000, 1000, 2, 600000, 0.2, NULL, NULL,
        NULL, 'resize', '3'),
    (4, 3, 0, 1, 0, 1, 5, 1, NULL, 4, 9000, 5, NULL, 0, 300000, 1000, 2, 600000, 0.2, 'lost', 'gone',
        NULL, 'echo', '4'),
    (5, 4, 0, 1, 0, 2, 5, 2, NULL, 5, 5, 7, 8, 0, 300000, 1000, 2, 600000, 0.2, NULL, NULL,
        NULL, 'echo', '5'),
    (6, 5, 0, 1, 0, 1, 1, 1, NULL, 6, 6, 7, 8, 0, 300000, 1000, 2, 600000, 0.2, 'timeout', 'slow',
        NULL, 'echo', '6'),
    (7, 6, 0, 1, 0, 0, 5, 0, NULL, 7, 7, NULL, 8, 0, 300000, 1000, 2, 600000, 0.2, 'cancelled', 'x',
        NULL, 'echo', '7'),
    (9, 6, 0, 1, 0, 0, 5, 0, NULL, 7, 7, NULL, 8, 0, 300000, 1000, 2, 600000, 0.2, 'cancelled', 'x',
        NULL, 'echo', '9');
    DELETE FROM jobs WHERE id = 9;
    INSERT INTO job_tags VALUES ('a', 1);
    INSERT INTO remote_leases VALUES (3, 60000, 'ann');
    INSERT INTO results VALUES (5, 0, '{\"a\":  1}');
    INSERT INTO failures VALUES
        (4, 1, 1, 6, 'lost', 'gone'), (5, 1, 1, 6, 'panic', 'boom'), (6, 1, 1, 8, 'timeout', 'slow');
    INSERT INTO logs VALUES (5, 4, 'one' || char(10));
    INSERT INTO submissions VALUES ('k', zeroblob(32), 2, 1, NULL, 2);";

/// An impossible row: its priority is too high.
const IMPOSSIBLE: &str = "
    INSERT INTO jobs (id, state, lane, queue_id, priority, max_attempts, created_at, run_at,
        at_most_once, timeout_ms, backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter,
        kind, payload)
    VALUES (8, 1, 0, 1, 300, 5, 8, 8, 0, 300000, 1000, 2, 600000, 0.2, 'echo', '8')";

/// Jobs of the kind chat, as id, state, lane and payload: of two providers, of none, and with payloads that
/// no version accepts.
const CHATS: &str = "
    CREATE TEMP TABLE chats AS SELECT column1 AS id, column2 AS state, column3 AS lane, column4 AS payload
    FROM (VALUES
        (20, 1, 0, '{\"provider\": \"fast\"}'), (21, 2, 0, '{\"provider\": \"fast\"}'),
        (22, 3, 0, '{\"provider\": \"slow\"}'), (23, 0, 0, '{\"model\": \"m\"}'),
        (24, 1, 0, '{\"provider\": null}'), (25, 1, 0, '{\"provider\": 5}'),
        (26, 1, 0, '{\"provider\": \"Not A Name\"}'), (27, 1, 0, '{\"provider\": {\"a\": 1}}'),
        (28, 1, 0, '[1]'), (29, 1, 0, '{\"provider\": \"a\\u0000b\"}'), (30, 1, 0, '{\"provider\": \"\"}'),
        (31, 4, 0, '{\"provider\": \"fast\"}'), (32, 1, 3, '{\"provider\": \"fast\"}'),
        (33, 4, 0, '{}'));
    INSERT INTO jobs (id, state, lane, queue_id, priority, attempt, max_attempts, lease_token,
        lease_expires_at, created_at, run_at, started_at, finished_at, at_most_once, timeout_ms,
        backoff_initial_ms, backoff_factor, backoff_max_ms, backoff_jitter, error_code, error_message,
        kind, payload)
    SELECT id, state, lane, 1, 0, state > 1, 5, state > 1,
        iif(state = 2, 60004, NULL), 3, 3, iif(state > 1, 4, NULL), iif(state > 3, 8, NULL), 0, 300000,
        1000, 2, 600000, 0.2, iif(state = 3, 'lost', NULL), iif(state = 3, 'gone', NULL), 'chat', payload
    FROM chats;
    INSERT INTO failures VALUES (22, 1, 1, 6, 'lost', 'gone');
    INSERT INTO results VALUES (31, 0, '1'), (33, 0, '1');
    UPDATE queue_counts
    SET jobs = jobs + (SELECT count(*) FROM chats WHERE chats.state = queue_counts.state);
    DROP TABLE chats;";

/// Creates a database with the older tables and the rows above, except those of the kind chat.
fn older() -> Sqlite {
    let database = Sqlite::fresh();
    let mut connection = database.raw();
    run(&mut connection, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF").unwrap();
    let table = "CREATE TABLE __diesel_schema_migrations (
        version VARCHAR(50) PRIMARY KEY NOT NULL,
        run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";
    run(&mut connection, table).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut folders: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap()).collect();
    folders.sort_by_key(|entry| entry.file_name());
    for entry in folders {
        let name = entry.file_name().into_string().unwrap();
        let version = name.split('_').next().unwrap().replace('-', "");
        if *version > *OLD_VERSION {
            break;
        }
        let sql = std::fs::read_to_string(entry.path().join("up.sql")).unwrap();
        run(&mut connection, &sql).unwrap();
        let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES";
        run(&mut connection, &format!("{insert} ('{version}')")).unwrap();
    }
    run(&mut connection, ROWS).unwrap();
    corrupt(&mut connection, IMPOSSIBLE);
    database
}

/// An older database after its migration.
struct Migrated {
    writes: Box<dyn WriteStore>,
    reads: Box<dyn ReadStore>,
    database: Sqlite,
}

impl Migrated {
    fn new() -> Self {
        Self::open(older(), &Config::default())
    }

    /// Migrates a database with jobs of the kind chat, for a server with these providers.
    fn with_chats(providers: &[&str]) -> Self {
        let providers: Vec<_> = providers.iter().map(|name| (*name, None, None)).collect();
        let database = older();
        run(&mut database.raw(), CHATS).unwrap();
        Self::open(database, &with_providers(&providers))
    }

    fn open(database: Sqlite, config: &Config) -> Self {
        let config = config.clone();
        let writes = database.open(&config).unwrap();
        let reads = database.reads();
        Self { writes, reads, database }
    }

    fn job(&mut self, id: i64) -> Job {
        self.reads.job(JobId(id)).unwrap().unwrap()
    }

    fn write(&mut self, write: &Write) -> Result<Answer, Refusal> {
        let now = Timestamp::from_millis(START);
        self.writes.commit(&[write], now).unwrap().answers.remove(0)
    }

    /// Returns the providers with their numbers of running and queued jobs.
    fn providers(&mut self) -> Vec<(String, u32, u32)> {
        let all = self.reads.providers().unwrap().into_iter();
        all.map(|(name, state)| (name.to_string(), state.running, state.queued)).collect()
    }

    /// Returns the ids of the jobs that a provider has.
    fn jobs_of(&self, provider: &str) -> String {
        let sql = format!(
            "SELECT group_concat(id, ' ' ORDER BY id) FROM jobs
             WHERE provider_id = (SELECT id FROM providers WHERE name = '{provider}')"
        );
        self.column(&sql).remove(0)
    }

    /// Returns the ids of the chat jobs that can be leased from these lines.
    fn lease(&mut self, providers: &[&str]) -> Vec<i64> {
        let leased = leased(self.write(&lease_lines("default", 50, providers)));
        let ids = leased.iter().map(|job| job.lease.job.0).filter(|id| *id >= 20);
        ids.collect()
    }

    fn column(&self, sql: &str) -> Vec<String> {
        let mut connection: SqliteConnection = self.database.raw();
        diesel::dsl::sql::<Text>(sql).load(&mut connection).unwrap()
    }
}

#[test]
fn an_older_database_is_marked_as_one_of_this_program() {
    let migrated = Migrated::new();
    let id = "SELECT printf('%x', application_id) FROM pragma_application_id";
    assert_eq!(migrated.column(id), ["4c534852"]);
    // As the header of the file says after a checkpoint, in ASCII.
    run(&mut migrated.database.raw(), "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert_eq!(std::fs::read(migrated.database.path()).unwrap()[68..72], *b"LSHR");
}

#[test]
fn every_job_keeps_its_values() {
    let mut migrated = Migrated::new();
    let states: Vec<State> = (1..=7).map(|id| migrated.job(id).state).collect();
    assert_eq!(states, State::ALL);
    let first = migrated.job(1);
    assert_eq!(first.payload.unwrap().as_str(), r#"{"b": 1.50}"#);
    assert_eq!((first.tags, first.backoff), (vec!["a".to_owned()], Some(Backoff::default())));
    let second = migrated.job(2);
    let expected = Backoff {
        initial: Span::from_millis(5),
        factor: 1.5,
        max: Span::from_millis(50),
        jitter: 0.0,
        max_retry_after: Span::from_secs(3_600),
    };
    assert_eq!(second.backoff, Some(expected));
    assert_eq!((second.priority, second.at_most_once), (-7, true));
    assert_eq!(migrated.job(3).worker.as_deref(), Some("ann"));
    assert_eq!(migrated.job(5).result_json().unwrap().as_str(), "{\"a\":  1}");
}

#[test]
fn failures_become_attempts_and_the_completed_attempt_is_listed_too() {
    let mut migrated = Migrated::new();
    let completed = migrated.job(5);
    let attempts = completed.attempts.unwrap();
    let shown: Vec<(u32, State, Option<&str>)> = attempts
        .iter()
        .map(|attempt| (attempt.attempt, attempt.state, attempt.code.as_deref()))
        .collect();
    assert_eq!(shown, [(1, State::Failed, Some("panic")), (2, State::Completed, None)]);
    assert_eq!(attempts[0].started_at, None, "older versions did not store it");
    assert_eq!(completed.failures.unwrap().len(), 1);
    assert_eq!(migrated.job(6).attempts.unwrap()[0].message.as_deref(), Some("slow"));
}

#[test]
fn unfinished_chat_jobs_get_the_provider_that_their_payload_names() {
    let mut migrated = Migrated::with_chats(&["fast", "slow"]);
    assert_eq!(migrated.providers(), [("fast".into(), 1, 1), ("slow".into(), 0, 0)]);
    assert_eq!((migrated.jobs_of("fast"), migrated.jobs_of("slow")), ("20 21".into(), "22".into()));
    assert_sound_except_job_8(&migrated);
    assert_eq!(migrated.lease(&["slow"]), [24, 25, 26, 27, 28, 29, 30]);
    assert_eq!(migrated.lease(&["fast"]), [20]);
}

#[test]
fn unfinished_chat_jobs_that_name_no_provider_get_the_only_one() {
    let mut migrated = Migrated::with_chats(&["fast"]);
    // Jobs of a provider that is no longer configured keep it.
    assert_eq!(migrated.providers(), [("fast".into(), 1, 4), ("slow".into(), 0, 0)]);
    assert_eq!(migrated.jobs_of("fast"), "20 21 23 24 28 30");
    assert_sound_except_job_8(&migrated);
    assert_eq!(migrated.lease(&["fast"]), [20, 24, 25, 26, 27, 28, 29, 30]);
}

#[test]
fn a_queued_chat_job_waits_for_its_provider_if_none_is_configured_and_the_others_can_be_leased() {
    let mut migrated = Migrated::with_chats(&[]);
    assert_sound_except_job_8(&migrated);
    // Job 20 names a provider.
    assert_eq!(migrated.lease(&["fast", "slow"]), [24, 25, 26, 27, 28, 29, 30]);
}

#[test]
fn a_chat_job_that_an_older_version_ended_counts_for_its_provider_when_it_is_retried() {
    for (configured, counts) in [(&["fast"][..], (4, 6)), (&["fast", "slow"], (1, 2))] {
        let mut migrated = Migrated::with_chats(configured);
        let queued = |migrated: &mut Migrated| migrated.providers()[0].2;
        assert_eq!(queued(&mut migrated), counts.0);
        for id in [31, 33] {
            migrated.write(&Write::Retry(JobId(id))).unwrap();
        }
        assert_eq!(queued(&mut migrated), counts.1);
        assert_sound_except_job_8(&migrated);
        assert!(!migrated.lease(&[]).contains(&31));
        assert!(migrated.lease(&["fast"]).contains(&31));
    }
}

fn assert_sound_except_job_8(migrated: &Migrated) {
    let report = verify(&migrated.database.path()).unwrap();
    let checks = report.checks.iter().flat_map(|check| check.examples.iter().map(String::as_str));
    let faults: Vec<&str> =
        checks.filter(|fault| !fault.contains("CHECK constraint failed")).collect();
    assert_eq!(faults, ["job 8 has priority 300"]);
}

#[test]
fn an_impossible_row_neither_blocks_the_migration_nor_is_lost() {
    let migrated = Migrated::new();
    assert_sound_except_job_8(&migrated);
    assert_eq!(migrated.column("SELECT payload FROM jobs WHERE id = 8"), ["8"]);
}

#[test]
fn ids_of_deleted_jobs_are_not_used_again() {
    let mut migrated = Migrated::new();
    let first = submitted(migrated.write(&submit(vec![job()]))).first;
    assert_eq!(first, JobId(10));
}

#[test]
fn stored_idempotency_keys_and_references_still_work() {
    let mut migrated = Migrated::new();
    let key = |fingerprint| SubmissionKey::new("k".parse().unwrap(), fingerprint);
    let again = |fingerprint| Submit {
        jobs: vec![NewJob { ..job() }].into(),
        key: Some(key(fingerprint)),
        batch: None,
    };
    let repeated = submitted(migrated.write(&Write::Submit(again([0; 32]))));
    assert!(repeated.is_repeat);
    assert_eq!(repeated.first, JobId(2));
    migrated.write(&Write::Submit(again([1; 32]))).unwrap_err();
    migrated.write(&Write::Delete(JobId(5))).unwrap();
    for table in ["attempts", "results", "logs"] {
        let sql = format!("SELECT '{table}' FROM {table} WHERE job_id = 5");
        assert_eq!(migrated.column(&sql), [""; 0], "rows of a deleted job");
    }
}

#[test]
fn the_counters_start_with_the_jobs_that_exist() {
    let mut migrated = Migrated::new();
    let queue = migrated.reads.queues(Timestamp::from_millis(START)).unwrap().remove(0);
    let totals = queue.totals;
    assert_eq!((totals.submitted, totals.completed), (8, 1));
    assert_eq!((totals.failed, totals.cancelled), (1, 1));
}

#[test]
fn batches_keep_their_counts_and_the_ends_of_their_jobs_get_an_order() {
    let database = older();
    let batches = "
        INSERT INTO batches (id, name, total, queued, completed, failed, created_at, finished_at)
        VALUES (3, 'a', 3, 1, 1, 1, 1, NULL), (4, NULL, 1, 0, 1, 0, 2, 8), (5, NULL, 0, 0, 0, 0, 3, 3);
        DELETE FROM batches WHERE id = 5;
        UPDATE jobs SET batch_id = 3 WHERE id IN (2, 5, 6);";
    run(&mut database.raw(), batches).unwrap();
    let mut migrated = Migrated::open(database, &Config::default());
    let query = EndQuery { batch: BatchId(3), after: 0, limit: 10, max_bytes: 1_000 };
    let running = migrated.reads.batch_update(&query).unwrap().unwrap();
    let ended: Vec<(i64, i64)> =
        running.ended.iter().map(|(seq, result)| (*seq, result.id.0)).collect();
    assert_eq!((ended, running.batch.total), (vec![(1, 5), (2, 6)], 3));
    assert_eq!((running.batch.open, running.batch.finished_at), (false, None));
    let ended = migrated.reads.batch(BatchId(4)).unwrap().unwrap();
    assert_eq!(ended.finished_at, Some(Timestamp::from_millis(8)));
    let batch = Some(NewBatch::default());
    let next =
        migrated.write(&Write::Submit(Submit { jobs: vec![job()].into(), key: None, batch }));
    assert_eq!(submitted(next).batch.unwrap().id, BatchId(6));
    let faults = migrated.database.faults();
    assert!(!faults.iter().any(|fault| fault.contains("batch 3")), "{faults:?}");
}
