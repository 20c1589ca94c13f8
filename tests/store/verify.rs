//! Verifying: a sound database is found sound, and each fault is found by the check for it.

mod faults;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use longshore::config::Config;
use longshore::job::counters::{Counters, TimeBucket};
use longshore::job::lease::{Lease, LeaseToken};
use longshore::job::outcome::Outcome;
use longshore::job::{JobId, Lane, Log, NewJob, State};
use longshore::store::sqlite::SqliteWrites;
use longshore::store::sqlite::backup::back_up;
use longshore::store::sqlite::verify::{Report, verify};
use longshore::store::{Holder, IdempotencyKey, LogLines, NewBatch, OpenError, Submit, Write};
use tempfile::TempDir;

use crate::kit::sqlite::run;
use crate::kit::{Store, completed, job, lease_kinds, leased};
use faults::FAULTS;

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
    assert_eq!(leased(store.write(lease_kinds(&["echo"]))).len(), 1);
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
    let lease = Lease { job: JobId(3), token: LeaseToken(1) };
    let log = Log::new("one\n".into());
    store.write(Write::Log(LogLines { lease, holder: Holder::Local, log })).unwrap();
    let all = Counters { submitted: 11, ..Counters::default() };
    let stretch = TimeBucket { began_at: store.now, queues: Vec::new(), all };
    store.write(Write::TimeBuckets(vec![stretch.into()])).unwrap();
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
    let opened = Config { database: sample.path.clone(), ..Config::default() };
    fs::write(&log, [1; 5000]).unwrap();
    assert!(matches!(SqliteWrites::open(&opened), Err(OpenError::ForeignLog { .. })));
    fs::remove_file(&log).unwrap();
    SqliteWrites::open(&opened).unwrap();
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
