//! Verification: a sound database passes, and each fault is found by its check.

mod batch_faults;
mod end_faults;
mod faults;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use longshore::auth::access::QueueAccess;
use longshore::auth::api_key::NewKey;
use longshore::auth::secret::KeyDigest;
use longshore::auth::webhook::WebhookSecret;
use longshore::config::Config;
use longshore::job::lease::{Lease, LeaseToken};
use longshore::job::outcome::Outcome;
use longshore::job::submission::on_end::OnEnd;
use longshore::job::submission::on_end::follow_up::{FollowUp, RelativeTimes};
use longshore::job::submission::on_end::reference::Source;
use longshore::job::{JobId, Json, Lane, Log, NewJob, State};
use longshore::metrics::counters::{BucketCounts, Counters};
use longshore::metrics::time_bucket::TimeBucket;
use longshore::roster::{KindChanges, LearnedKind};
use longshore::store::sqlite::SqliteWrites;
use longshore::store::sqlite::admin::backup::back_up;
use longshore::store::sqlite::admin::verify::{Report, verify};
use longshore::store::{Holder, LogLines, NewBatch, OpenError, SubmissionKey, Submit, Write};
use tempfile::TempDir;

use super::Store;
use crate::kit::sqlite::corrupt;
use crate::kit::{completed, job, job_in_queue, lease, lease_kinds, leased, tags, with_providers};
use batch_faults::BATCH_FAULTS;
use end_faults::END_FAULTS;
use faults::FAULTS;

/// Copy of a database that has rows in every table.
struct Sample {
    _directory: TempDir,
    path: PathBuf,
}

impl Sample {
    fn new() -> Self {
        let mut store = Store::configured(with_providers(&[("fast", None, None)]));
        let database = store.backend();
        fill(&mut store);
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("sample.db");
        back_up(&database.path(), &path, false, store.now).unwrap();
        Self { _directory: directory, path }
    }

    fn connect(&self) -> SqliteConnection {
        SqliteConnection::establish(self.path.to_str().unwrap()).unwrap()
    }

    /// Runs SQL with all constraints switched off.
    fn corrupt(&self, sql: &str) {
        corrupt(&mut self.connect(), sql);
    }

    fn verify(&self) -> Report {
        verify(&self.path).unwrap()
    }
}

/// Inserts jobs: 1 to 7 in the states 0 to 6; 8 running in the remote lane; 9 (completed, with tags)
/// and 10 in a batch with an idempotency key and end actions; 11 completed, with the webhook 12 and the
/// follow-up job 13; 14 released.
fn fill(store: &mut Store) {
    for state in State::ALL {
        store.job_in(state);
    }
    store.submit(NewJob { lane: Lane::Remote, ..job() });
    assert_eq!(leased(store.write(lease_kinds(&["echo"]))).len(), 1);
    let metadata = Some(Json::trusted(r#"{"a": 1}"#));
    let tagged = NewJob { tags: tags(&["red", "blue"]), metadata, priority: 100, ..job() };
    let key = Some(SubmissionKey::new("k".parse().unwrap(), [7; 32]));
    let batch = Some(NewBatch { name: None, on_end: on_end(Source::Batch), open_for: None });
    let jobs = vec![tagged, job()].into();
    store.write(Write::Submit(Submit { jobs, key, batch })).unwrap();
    let first = store.lease_next().lease;
    assert_eq!(first.job.0, 9);
    store.finish(first, completed("1")).unwrap();
    store.submit(NewJob { on_end: on_end(Source::Job), ..job_in_queue("next") });
    let ending = leased(store.write(lease("next", Lane::Async, 1))).remove(0).lease;
    assert_eq!(ending.job.0, 11);
    store.finish(ending, completed("1")).unwrap();
    let released = store.running(NewJob { priority: 100, ..job() });
    store.finish(released, Outcome::Released).unwrap();
    let lease = Lease { job: JobId(3), token: LeaseToken(1) };
    let log = Log::new("one\n".into());
    store.write(Write::Log(LogLines { lease, holder: Holder::Local, log })).unwrap();
    let key = NewKey::admin("ops".parse().unwrap());
    store.write(Write::CreateKey(key, KeyDigest::of("x"))).unwrap();
    let secret = WebhookSecret::from_bytes([7; 32]);
    store.write(Write::CreateWebhookSecret("shop".parse().unwrap(), secret, Vec::new())).unwrap();
    let (kind, queues) = ("resize".parse().unwrap(), QueueAccess::All);
    let kind = LearnedKind { kind, queues, asked_at: store.now };
    let changes = KindChanges { asked: vec![kind], forgotten: Vec::new() };
    store.write(Write::LearnKinds(changes)).unwrap();
    let counts = BucketCounts { submitted: 11, ..BucketCounts::default() };
    let all = Counters { counts, ..Counters::default() };
    let bucket = TimeBucket { began_at: store.now, queues: Vec::new(), all };
    store.write(Write::TimeBuckets(vec![bucket.into()])).unwrap();
}

/// Returns a webhook and a follow-up job.
fn on_end(source: Source) -> Option<Box<OnEnd>> {
    let callback = serde_json::from_str(r#"{"url": "https://receiver.example/"}"#).unwrap();
    OnEnd::new(
        Some(callback),
        Some(FollowUp::new(job_in_queue("next"), RelativeTimes::default(), source).unwrap()),
    )
}

/// Returns the names of the checks that found faults.
fn failed_checks(report: &Report) -> Vec<&str> {
    let found = report.checks.iter().filter(|check| check.faults > 0);
    found.map(|check| check.name.as_str()).collect()
}

#[test]
fn a_sound_database_passes_every_check() {
    let report = Sample::new().verify();
    assert_eq!(failed_checks(&report), [""; 0]);
    assert!(report.is_sound && report.copied_at.is_some());
    assert_eq!((report.pending_migrations.len(), report.unknown_migrations.len()), (0, 0));
    for check in &report.checks {
        assert!(!check.is_left_out && check.looked_at != Some(0), "{check:?}");
    }
}

#[test]
fn each_fault_is_found_and_described_by_its_check() {
    let sound = Sample::new();
    for (sql, name, text) in FAULTS.iter().chain(BATCH_FAULTS).chain(END_FAULTS) {
        let sample = Sample { path: sound.path.with_extension("broken"), ..Sample::empty() };
        fs::copy(&sound.path, &sample.path).unwrap();
        sample.corrupt(sql);
        let report = sample.verify();
        assert!(!report.is_sound, "{sql}");
        let check = report.checks.iter().find(|check| check.name == *name).unwrap();
        let is_described = check.examples.iter().any(|example| example.contains(text));
        assert!(check.faults > 0 && is_described, "{sql}: {check:?}, {:?}", failed_checks(&report));
    }
}

#[test]
fn every_check_finds_at_least_one_fault() {
    let report = Sample::new().verify();
    for check in report.checks {
        let mut faults = FAULTS.iter().chain(BATCH_FAULTS).chain(END_FAULTS);
        assert!(faults.any(|(_, name, _)| *name == check.name), "{}", check.name);
    }
}

#[test]
fn faults_are_counted_and_the_first_ones_described() {
    let sample = Sample::new();
    sample.corrupt("UPDATE jobs SET priority = 101");
    let report = sample.verify();
    let check = report.checks.iter().find(|check| check.name == "settings").unwrap();
    assert_eq!((check.looked_at, check.faults, check.examples.len()), (Some(14), 14, 5));
    assert_eq!(check.examples[0], "job 1 has priority 101");
}

#[test]
fn damaged_pages_are_reported_and_no_check_is_skipped_because_of_them() {
    let sample = Sample::new();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'";
    let root: i64 = diesel::dsl::sql::<diesel::sql_types::BigInt>(root)
        .get_result(&mut sample.connect())
        .unwrap();
    let file = fs::OpenOptions::new().write(true).open(&sample.path).unwrap();
    file.write_all_at(&[0x55; 4096], u64::try_from(root - 1).unwrap() * 4096).unwrap();
    let report = sample.verify();
    let failed = failed_checks(&report);
    assert!(failed.contains(&"integrity") && failed.contains(&"states"), "{failed:?}");
    assert!(report.checks.iter().any(|check| {
        check.examples.iter().any(|example| example.starts_with("cannot be read"))
    }));
}

#[test]
fn tables_of_another_version_are_reported() {
    let sample = Sample::new();
    sample.corrupt("INSERT INTO __diesel_schema_migrations VALUES ('99990101000000', 0)");
    assert_eq!(sample.verify().unknown_migrations, ["99990101000000"]);
    let older = "DROP TABLE epoch;
        DELETE FROM __diesel_schema_migrations WHERE version = '20261122130000'";
    sample.corrupt(older);
    let report = sample.verify();
    assert_eq!(report.pending_migrations, ["20261122130000"]);
    let skipped = report.checks.iter().filter(|check| check.is_left_out);
    assert_eq!(skipped.map(|check| check.name.as_str()).collect::<Vec<_>>(), ["epoch"]);
    assert!(report.is_sound);
}

#[test]
fn a_file_that_is_not_a_longshore_database_cannot_be_verified() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a ?b#c%41.db");
    let assert_error = |wanted: &str| {
        let error = verify(&path).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains("a ?b#c%41.db"), "{error}");
    };
    assert_error("No such file");
    assert!(!path.exists(), "verify creates no file");
    fs::write(&path, "").unwrap();
    assert_error("not a database of longshore");
    fs::write(&path, [0x55; 8192]).unwrap();
    assert_error("not a database");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(verify(&path).is_err());
}

#[test]
fn the_log_of_another_database_is_not_applied_to_a_copy() {
    let sample = Sample::new();
    let log = sample.path.with_extension("db-wal");
    fs::write(&log, [1; 5000]).unwrap();
    let error = verify(&sample.path).unwrap_err();
    assert!(matches!(&error, OpenError::ForeignLog { log: found, .. } if *found == log), "{error}");
    fs::write(&log, []).unwrap();
    assert!(sample.verify().is_sound);
    let opened = Config { database: sample.path.clone().into(), ..Config::default() };
    fs::write(&log, [1; 5000]).unwrap();
    assert!(matches!(SqliteWrites::open(&opened), Err(OpenError::ForeignLog { .. })));
    fs::remove_file(&log).unwrap();
    SqliteWrites::open(&opened).unwrap();
}

#[test]
fn verify_changes_nothing_in_the_file() {
    let sample = Sample::new();
    let before = fs::read(&sample.path).unwrap();
    sample.verify();
    assert!(fs::read(&sample.path).unwrap() == before);
    assert_eq!(fs::read_dir(sample.path.parent().unwrap()).unwrap().count(), 1);
}

impl Sample {
    /// Returns a sample without a file.
    fn empty() -> Self {
        Self { _directory: TempDir::new().unwrap(), path: PathBuf::new() }
    }
}
