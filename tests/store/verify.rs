//! Verifying: a sound database is found sound, and each fault is found by the check for it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use longshore::job::outcome::Outcome;
use longshore::job::{Lane, NewJob, State};
use longshore::store::sqlite::backup::back_up;
use longshore::store::sqlite::verify::{Report, verify};
use longshore::store::{IdempotencyKey, NewBatch, OpenError, Submit, Write};
use tempfile::TempDir;

use crate::kit::sqlite::run;
use crate::kit::{Store, completed, job, lease, leased};

/// A copy of a database that has something of everything.
struct Sample {
    _directory: TempDir,
    path: PathBuf,
}

impl Sample {
    fn new() -> Self {
        let (mut store, database) = Store::on_sqlite();
        fill(&mut store);
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("sample.db");
        back_up(&database.path(), &path, false, store.now).unwrap();
        Self { _directory: directory, path }
    }

    fn connect(&self) -> SqliteConnection {
        SqliteConnection::establish(self.path.to_str().unwrap()).unwrap()
    }

    /// Does what no version of the program does.
    fn break_by(&self, sql: &str) {
        let connection = &mut self.connect();
        run(connection, "PRAGMA foreign_keys = OFF").unwrap();
        run(connection, "PRAGMA ignore_check_constraints = ON").unwrap();
        run(connection, "PRAGMA writable_schema = ON").unwrap();
        run(connection, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn verify(&self) -> Report {
        verify(&self.path).unwrap()
    }
}

/// Jobs 1 to 7 are in the states 0 to 6; 8 runs remotely; 9 and 10 are a batch with a key and tags,
/// of which 9 is completed; 11 was released.
fn fill(store: &mut Store) {
    for state in State::ALL {
        store.job_in(state);
    }
    store.submit(NewJob { lane: Lane::Remote, ..job() });
    assert_eq!(leased(store.write(lease("default", Lane::Remote, 1))).len(), 1);
    let tagged = NewJob { tags: vec!["red".into(), "blue".into()], priority: 100, ..job() };
    let key = Some(IdempotencyKey { key: "k".into(), fingerprint: [7; 32] });
    let batch = Some(NewBatch { name: None });
    let jobs = vec![tagged, job()].into();
    store.write(Write::Submit(Submit { jobs, key, batch })).unwrap();
    let first = store.lease_next().lease;
    assert_eq!(first.job.0, 9);
    store.finish(first, completed("1")).unwrap();
    let released = store.running(NewJob { priority: 100, ..job() });
    store.finish(released, Outcome::Released).unwrap();
}

/// The checks that find something.
fn broken(report: &Report) -> Vec<&str> {
    let found = report.checks.iter().filter(|check| check.faults > 0);
    found.map(|check| check.name.as_str()).collect()
}

#[test]
fn a_sound_database_is_found_sound_and_every_check_has_looked() {
    let report = Sample::new().verify();
    assert_eq!(broken(&report), [""; 0]);
    assert!(report.is_sound && report.copied_at.is_some());
    assert_eq!((report.pending_migrations.len(), report.unknown_migrations.len()), (0, 0));
    for check in &report.checks {
        assert!(!check.is_left_out && check.looked_at != Some(0), "{check:?}");
    }
}

/// What is done to the sample, the check that has to find it, and words of what it says.
const FAULTS: &[(&str, &str, &str)] = &[
    // The state of a job.
    ("UPDATE jobs SET state = 7 WHERE id = 2", "states", "job 2 is in state 7"),
    ("UPDATE jobs SET lane = 4 WHERE id = 2", "states", "job 2 is in lane 4"),
    ("UPDATE jobs SET finished_at = 5 WHERE id = 2", "states", "job 2 has a time of its end"),
    ("UPDATE jobs SET finished_at = NULL WHERE id = 5", "states", "job 5 has ended without a time"),
    ("UPDATE jobs SET cancel_requested = 2 WHERE id = 3", "states", "has cancel_requested 2"),
    ("UPDATE jobs SET cancel_requested = 1 WHERE id = 2", "states", "job 2 is to stop"),
    ("UPDATE jobs SET error_code = 'x' WHERE id = 2", "states", "job 2 has half an error"),
    (
        "UPDATE jobs SET error_code = NULL, error_message = NULL WHERE id = 6",
        "states",
        "job 6 ended badly without an error",
    ),
    (
        "UPDATE jobs SET error_code = 'x', error_message = 'y' WHERE id = 5",
        "states",
        "job 5 is completed and has an error",
    ),
    // Leases, tokens, attempts.
    ("UPDATE jobs SET lease_token = -1 WHERE id = 1", "leases", "job 1 has the token -1"),
    ("UPDATE jobs SET lease_token = 1 << 53 WHERE id = 2", "leases", "has the token 9007"),
    (
        "UPDATE jobs SET lease_expires_at = NULL WHERE id = 3",
        "leases",
        "job 3 runs without a lease",
    ),
    ("UPDATE jobs SET lease_expires_at = 5 WHERE id = 2", "leases", "job 2 has a lease and does"),
    ("UPDATE jobs SET lease_token = 0 WHERE id = 5", "leases", "job 5 has run without a token"),
    (
        "UPDATE jobs SET lease_token = 1, started_at = 5 WHERE id = 1",
        "leases",
        "job 1 is scheduled and has been leased",
    ),
    ("UPDATE jobs SET attempt = 0 WHERE id = 8", "leases", "job 8 runs no attempt"),
    ("UPDATE jobs SET started_at = NULL WHERE id = 11", "leases", "job 11 was leased and has not"),
    ("UPDATE jobs SET started_at = 5 WHERE id = 2", "leases", "job 2 has started and was not"),
    ("UPDATE jobs SET attempt = 4, lease_token = 9 WHERE id = 5", "leases", "attempt 4 of 3"),
    ("UPDATE jobs SET attempt = -1 WHERE id = 2", "leases", "job 2 is at attempt -1 of 3"),
    ("UPDATE jobs SET attempt = 2 WHERE id = 5", "leases", "attempt 2 with the token 1"),
    // What jobs ask for.
    ("UPDATE jobs SET priority = 101 WHERE id = 2", "settings", "job 2 has priority 101"),
    ("UPDATE jobs SET max_attempts = 0 WHERE id = 2", "settings", "job 2 has max_attempts 0"),
    ("UPDATE jobs SET at_most_once = 2 WHERE id = 2", "settings", "job 2 has at_most_once 2"),
    ("UPDATE jobs SET timeout_ms = 0 WHERE id = 2", "settings", "job 2 has timeout_ms 0"),
    ("UPDATE jobs SET backoff_initial_ms = -1 WHERE id = 2", "settings", "a backoff from -1"),
    ("UPDATE jobs SET backoff_max_ms = 1 WHERE id = 2", "settings", "a backoff from 1000 to 1 ms"),
    ("UPDATE jobs SET backoff_factor = 0.5 WHERE id = 2", "settings", "has backoff_factor 0.5"),
    ("UPDATE jobs SET backoff_jitter = 2 WHERE id = 2", "settings", "has backoff_jitter 2"),
    ("UPDATE jobs SET progress_percent = 101 WHERE id = 3", "settings", "has progress_percent 101"),
    ("UPDATE jobs SET kind = '' WHERE id = 2", "settings", "job 2 has no kind"),
    ("UPDATE jobs SET payload = '{' WHERE id = 2", "payloads", "the payload of job 2 is no JSON"),
    // Results and failures.
    ("DELETE FROM results WHERE job_id = 5", "results", "job 5 is completed and has no result"),
    ("INSERT INTO results VALUES (2, 0, '1')", "results", "job 2 has a result and is not"),
    ("UPDATE results SET truncated = 2", "results", "the result of job 5 has truncated 2"),
    ("UPDATE results SET result = '[' WHERE job_id = 5", "results", "result of job 5 is no JSON"),
    ("UPDATE results SET job_id = 99 WHERE job_id = 5", "results", "job 99 has a result and"),
    ("UPDATE failures SET lease_token = 2 WHERE job_id = 4", "failures", "token 2, its last is 1"),
    ("UPDATE failures SET lease_token = 0 WHERE job_id = 4", "failures", "token 0, its last is 1"),
    ("UPDATE failures SET attempt = 2 WHERE job_id = 4", "failures", "attempt 2, its last is 1"),
    ("UPDATE failures SET attempt = 0 WHERE job_id = 4", "failures", "attempt 0, its last is 1"),
    (
        "INSERT INTO failures VALUES (3, 1, 1, 5, 'a', 'b')",
        "failures",
        "job 3 failed under the lease",
    ),
    (
        "INSERT INTO failures VALUES (5, 1, 1, 5, 'a', 'b')",
        "failures",
        "job 5 failed under the lease",
    ),
    (
        "UPDATE jobs SET lease_token = 2 WHERE id = 4;
         INSERT INTO failures VALUES (4, 2, 1, 5, 'a', 'b')",
        "failures",
        "job 4 failed twice in attempt 1",
    ),
    ("DELETE FROM failures WHERE job_id = 6", "failures", "job 6 failed last and has no failure"),
    ("DELETE FROM failures WHERE job_id = 4", "failures", "job 4 failed last and has no failure"),
    // Tags.
    ("DELETE FROM job_tags WHERE tag = 'red'", "tags", "job 9 is not found by its tag red"),
    ("INSERT INTO job_tags VALUES ('green', 9)", "tags", "job 9 is found by the tag green"),
    ("INSERT INTO job_tags VALUES ('green', 99)", "tags", "job 99 is found by the tag green"),
    ("UPDATE jobs SET tags = 'red' WHERE id = 9", "tags", "the tags of job 9 are no list"),
    ("UPDATE jobs SET tags = '{\"a\": \"red\"}' WHERE id = 9", "tags", "tags of job 9 are no list"),
    // Queues.
    ("UPDATE queues SET name = 'Mail'", "queues", "queue 1 is called Mail"),
    ("UPDATE queues SET name = '-a'", "queues", "queue 1 is called -a"),
    ("UPDATE queues SET name = ''", "queues", "queue 1 is called"),
    ("UPDATE queues SET paused = 2", "queues", "queue 1 has paused 2"),
    ("UPDATE queues SET max_running = 0", "queues", "queue 1 has max_running 0"),
    ("UPDATE queues SET rate_limit = 5", "queues", "queue 1 has half a rate"),
    ("UPDATE queues SET rate_limit = 0, rate_period_ms = 5", "queues", "has the rate 0 in 5 ms"),
    (
        "UPDATE queue_counts SET jobs = jobs + 1 WHERE state = 1",
        "queue counts",
        "queue default counts 4 queued jobs and has 3",
    ),
    ("UPDATE queue_counts SET jobs = -1 WHERE state = 0", "queue counts", "counts -1 scheduled"),
    (
        "DELETE FROM queue_counts WHERE state = 2",
        "queue counts",
        "counts no running jobs and has 2",
    ),
    ("UPDATE jobs SET state = 1, lease_expires_at = NULL WHERE id = 8", "queue counts", "running"),
    ("INSERT INTO queue_counts VALUES (1, 7, 0)", "queue counts", "queue 1 counts jobs in state 7"),
    // Batches.
    (
        "UPDATE batches SET queued = 2, total = 3",
        "batches",
        "batch 1 counts 2 queued jobs and has 1",
    ),
    ("UPDATE batches SET scheduled = 1, total = 3", "batches", "1 scheduled jobs and has 0"),
    ("UPDATE batches SET running = 1, total = 3", "batches", "1 running jobs and has 0"),
    ("UPDATE batches SET retrying = 1, total = 3", "batches", "1 retrying jobs and has 0"),
    ("UPDATE batches SET completed = 0, total = 1", "batches", "0 completed jobs and has 1"),
    (
        "UPDATE jobs SET batch_id = 1 WHERE id = 6",
        "batches",
        "batch 1 counts 0 failed jobs and has 1",
    ),
    (
        "UPDATE jobs SET batch_id = 1 WHERE id = 7",
        "batches",
        "batch 1 counts 0 cancelled jobs and has 1",
    ),
    ("UPDATE batches SET total = 3", "batches", "batch 1 does not add up to 3"),
    ("UPDATE batches SET finished_at = 5", "batches", "batch 1 has a time of its end and has not"),
    (
        "UPDATE jobs SET batch_id = NULL WHERE id = 10; UPDATE batches SET queued = 0, total = 1",
        "batches",
        "batch 1 has ended without a time",
    ),
    ("UPDATE jobs SET batch_id = NULL", "batches", "batch 1 has no jobs"),
    // Idempotency keys.
    ("UPDATE submissions SET jobs = 0", "keys", "jobs from 9 on has 0 jobs"),
    ("UPDATE submissions SET fingerprint = x'00'", "keys", "has no whole fingerprint"),
    ("DELETE FROM jobs WHERE id IN (9, 10)", "keys", "jobs from 9 on outlives them"),
    ("UPDATE submissions SET batch_id = NULL", "keys", "names another batch than they do"),
    (
        "INSERT INTO submissions VALUES ('l', zeroblob(32), 10, 1, 1, 0)",
        "keys",
        "jobs from 9 on shares them with another key",
    ),
    // Ids.
    ("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'jobs'", "ids", "a job has the id 11"),
    ("DELETE FROM sqlite_sequence WHERE name = 'batches'", "ids", "a batch has the id 1"),
    ("UPDATE submissions SET jobs = 10", "ids", "a key leads to job 18"),
    // The epoch.
    ("DELETE FROM epoch", "epoch", "there are 0 epochs"),
    ("UPDATE epoch SET id = 2", "epoch", "the epoch has the id 2"),
    ("UPDATE epoch SET token_floor = -1", "epoch", "the epoch begins with the token -1"),
    // References.
    (
        "UPDATE jobs SET queue_id = 9 WHERE id = 2",
        "references",
        "jobs row 2 refers to no row of queues",
    ),
    (
        "UPDATE jobs SET batch_id = 9 WHERE id = 2",
        "references",
        "jobs row 2 refers to no row of batches",
    ),
    (
        "INSERT INTO results VALUES (99, 0, '1')",
        "references",
        "results row 99 refers to no row of jobs",
    ),
    (
        "INSERT INTO failures VALUES (99, 1, 1, 5, 'a', 'b')",
        "references",
        "failures refers to no row",
    ),
    // The pages: an index that does not have what it should.
    (
        "UPDATE sqlite_schema SET sql = replace(sql, 'state = 1', 'state = 0')
         WHERE name = 'jobs_queued'",
        "integrity",
        "jobs_queued",
    ),
];

#[test]
fn each_fault_is_found_by_the_check_for_it_and_named() {
    let whole = Sample::new();
    for (sql, name, words) in FAULTS {
        let sample = Sample { path: whole.path.with_extension("broken"), ..Sample::empty() };
        fs::copy(&whole.path, &sample.path).unwrap();
        sample.break_by(sql);
        let report = sample.verify();
        assert!(!report.is_sound, "{sql}");
        let check = report.checks.iter().find(|check| check.name == *name).unwrap();
        let is_named = check.examples.iter().any(|example| example.contains(words));
        assert!(check.faults > 0 && is_named, "{sql}: {check:?}, {:?}", broken(&report));
    }
}

#[test]
fn every_check_has_a_fault_that_it_finds() {
    let report = Sample::new().verify();
    for check in report.checks {
        assert!(FAULTS.iter().any(|(_, name, _)| *name == check.name), "{}", check.name);
    }
}

#[test]
fn faults_are_counted_and_the_first_of_them_named() {
    let sample = Sample::new();
    sample.break_by("UPDATE jobs SET priority = 101");
    let report = sample.verify();
    let check = report.checks.iter().find(|check| check.name == "settings").unwrap();
    assert_eq!((check.looked_at, check.faults, check.examples.len()), (Some(11), 11, 5));
    assert_eq!(check.examples[0], "job 1 has priority 101");
}

#[test]
fn pages_that_are_gone_are_told_and_no_check_is_left_out_for_it() {
    let sample = Sample::new();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'";
    let root: i64 = diesel::dsl::sql::<diesel::sql_types::BigInt>(root)
        .get_result(&mut sample.connect())
        .unwrap();
    let file = fs::OpenOptions::new().write(true).open(&sample.path).unwrap();
    file.write_all_at(&[0x55; 4096], u64::try_from(root - 1).unwrap() * 4096).unwrap();
    let report = sample.verify();
    let broken = broken(&report);
    assert!(broken.contains(&"integrity") && broken.contains(&"states"), "{broken:?}");
    assert!(report.checks.iter().any(|check| {
        check.examples.iter().any(|example| example.starts_with("it cannot be read"))
    }));
}

#[test]
fn tables_of_another_version_are_told() {
    let sample = Sample::new();
    sample.break_by("INSERT INTO __diesel_schema_migrations VALUES ('99990101000000', 0)");
    assert_eq!(sample.verify().unknown_migrations, ["99990101000000"]);
    let older = "DROP TABLE epoch;
        DELETE FROM __diesel_schema_migrations WHERE version = '20261122130000'";
    sample.break_by(older);
    let report = sample.verify();
    assert_eq!(report.pending_migrations, ["20261122130000"]);
    let left_out = report.checks.iter().filter(|check| check.is_left_out);
    assert_eq!(left_out.map(|check| check.name.as_str()).collect::<Vec<_>>(), ["epoch"]);
    assert!(report.is_sound);
}

#[test]
fn what_is_no_database_of_ours_cannot_be_verified() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a ?b#c%41.db");
    let error = |wanted: &str| {
        let error = verify(&path).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains("a ?b#c%41.db"), "{error}");
    };
    error("No such file");
    assert!(!path.exists(), "looking makes no file");
    fs::write(&path, "").unwrap();
    error("it holds no jobs");
    fs::write(&path, [0x55; 8192]).unwrap();
    error("not a database");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(verify(&path).is_err());
}

#[test]
fn a_log_of_another_database_is_not_read_into_a_copy() {
    let sample = Sample::new();
    let log = sample.path.with_extension("db-wal");
    fs::write(&log, [1; 5000]).unwrap();
    let error = verify(&sample.path).unwrap_err();
    assert!(matches!(&error, OpenError::ForeignLog { log: found, .. } if *found == log), "{error}");
    fs::write(&log, []).unwrap();
    assert!(sample.verify().is_sound);
}

#[test]
fn verifying_changes_nothing_in_the_file() {
    let sample = Sample::new();
    let before = fs::read(&sample.path).unwrap();
    sample.verify();
    assert!(fs::read(&sample.path).unwrap() == before);
    assert_eq!(fs::read_dir(sample.path.parent().unwrap()).unwrap().count(), 1);
}

impl Sample {
    /// A place for a file that lies elsewhere.
    fn empty() -> Self {
        Self { _directory: TempDir::new().unwrap(), path: PathBuf::new() }
    }
}
