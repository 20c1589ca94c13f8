//! Prepared statements: each is prepared once per connection, however often it runs.

use std::collections::{BTreeMap, BTreeSet};

use longshore::auth::access::QueueAccess;
use longshore::auth::api_key::NewKey;
use longshore::auth::secret::KeyDigest;
use longshore::auth::webhook::WebhookSecret;
use longshore::job::queue::{QueueChange, Rate};
use longshore::job::{BatchId, JobId, Lane, Log, NewJob, Progress, Span, State, WebhookSecretName};
use longshore::metrics::counters::Counters;
use longshore::metrics::time_bucket::TimeBucket;
use longshore::roster::{KindChanges, LearnedKind};
use longshore::store::{Answer, Holder, JobFilter, LogLines, Renew, RescueScope, Write};

use super::Store;
use crate::kit::statements::Statements;
use crate::kit::{
    chat, completed, deferred, failed, finish, finish_remote, ids, job, lease, lease_kinds,
    lease_lines, leased, queue, renew_remote, submit, tags, with_providers,
};

/// Runs every write of the life of a job once, each in its own group.
fn run_job_writes(store: &mut Store) {
    // With one insert of each chunk size.
    store.submit_all(vec![job(); 16 + 4]);
    store.submit_all(vec![NewJob { tags: tags(&["a"]), ..job() }, job()]);
    let jobs = leased(store.write(lease("default", Lane::Async, 2)));
    assert_eq!(ids(&jobs).len(), 2);
    store.write(Write::Report(jobs[0].lease, Progress::new(1.0, ""))).unwrap();
    let (lease, holder, log) = (jobs[0].lease, Holder::Local, Log::new("one\n".into()));
    store.write(Write::Log(LogLines { lease, holder, log })).unwrap();
    store.commit(&[finish(jobs[0].lease, completed("1")), finish(jobs[1].lease, failed())]);
    store.write(Write::Cancel(jobs[1].lease.job)).unwrap();
    run_key_writes(store);
    run_webhook_secret_writes(store);
    let queues = QueueAccess::All;
    let kind = LearnedKind { kind: "resize".parse().unwrap(), queues, asked_at: store.now };
    let changes = KindChanges { asked: vec![kind.clone()], forgotten: vec![kind] };
    store.write(Write::LearnKinds(changes)).unwrap();
    run_remote_writes(store);
    run_limited_writes(store);
}

/// Returns a store with the provider that the writes use.
fn store() -> Store {
    Store::configured(with_providers(&[("fast", Some(50), Some(1_000))]))
}

/// Creates, touches and revokes an API key.
fn run_key_writes(store: &mut Store) {
    let keys = store.reads.keys().unwrap().keys.len();
    let key = NewKey::admin("ops".parse().unwrap());
    let create = Write::CreateKey(key, KeyDigest::of(&keys.to_string()));
    let Ok(Answer::Key(key)) = store.write(create) else { panic!("no key") };
    store.write(Write::TouchKeys(vec![(key.id, store.now)])).unwrap();
    store.write(Write::RevokeKey(key.id)).unwrap();
}

/// Creates, rotates and deletes a webhook secret.
fn run_webhook_secret_writes(store: &mut Store) {
    let name: WebhookSecretName = "shop".parse().unwrap();
    let value = WebhookSecret::from_bytes([7; 32]);
    store.write(Write::CreateWebhookSecret(name.clone(), value.clone(), Vec::new())).unwrap();
    let overlap = Span::from_secs(60);
    store.write(Write::RotateWebhookSecret(name.clone(), value, overlap)).unwrap();
    store.write(Write::DeleteWebhookSecret(name)).unwrap();
}

/// Runs writes of a queue with limits and of a provider, which refuses one call and answers another.
fn run_limited_writes(store: &mut Store) {
    let rate = Some(Some(Rate { limit: 1_000, period: Span::from_secs(60) }));
    let change = QueueChange { paused: None, max_running: Some(Some(50)), rate };
    // The first one also creates the queue.
    for _ in 0..2 {
        store.write(Write::Configure { queue: queue("limited"), change }).unwrap();
    }
    store.submit(NewJob { queue: queue("limited"), ..chat("fast") });
    for outcome in [deferred(0, true), completed("1")] {
        let jobs = leased(store.write(lease_lines("limited", 1, &["fast"])));
        store.finish(jobs[0].lease, outcome).unwrap();
        store.advance(1);
    }
}

/// Runs the writes of remote workers, one of which has a name and asks for certain kinds.
fn run_remote_writes(store: &mut Store) {
    let remote = NewJob { lane: Lane::Remote, ..job() };
    for request in [lease("default", Lane::Remote, 10), lease_kinds(&["echo", "other"])] {
        store.submit_all(vec![remote.clone(); 2]);
        let jobs = leased(store.write(request));
        let leases: Vec<_> = jobs.iter().map(|job| job.lease).collect();
        let renew = Renew { progress: Some(Progress::new(1.0, "")), ..renew_remote(&leases) };
        store.write(Write::Renew(renew)).unwrap();
        let outcomes = [completed("1"), failed()];
        let finishes = jobs.iter().zip(outcomes);
        let finishes = finishes.map(|(job, outcome)| finish_remote(job.lease, outcome)).collect();
        store.write(Write::Each(finishes)).unwrap();
        store.write(Write::Cancel(jobs[1].lease.job)).unwrap();
    }
}

/// Reads one list by each index.
fn list_once(store: &mut Store) {
    let plain = JobFilter { limit: 10, ..JobFilter::default() };
    let kind = Some("echo".to_string());
    store.reads.job_update(JobId(1), 0).unwrap();
    store.reads.job_summaries(&[JobId(1), JobId(2)]).unwrap();
    store.reads.jobs(&JobFilter { tag: Some("a".into()), ..plain.clone() }).unwrap();
    store.reads.jobs(&JobFilter { batch: Some(BatchId(1)), ..plain.clone() }).unwrap();
    for state in State::ALL.into_iter().map(Some).chain([None]) {
        for (kind, queue) in [(None, None), (kind.clone(), None), (None, Some(job().queue))] {
            store.reads.jobs(&JobFilter { state, kind, queue, ..plain.clone() }).unwrap();
        }
    }
}

#[test]
fn each_statement_in_the_life_of_a_job_is_prepared_once() {
    let statements = Statements::record();
    let mut store = store();
    for _ in 0..20 {
        run_job_writes(&mut store);
    }
    let mut prepared: BTreeMap<String, usize> = BTreeMap::new();
    for sql in statements.prepared() {
        *prepared.entry(sql).or_default() += 1;
    }
    for prefix in ["INSERT INTO jobs", "UPDATE jobs", "INSERT INTO results"] {
        let exists = prepared.keys().any(|sql| sql.starts_with(prefix));
        assert!(exists, "no prepared statement starts with {prefix}: {prepared:#?}");
    }
    let repeated: Vec<_> = prepared.iter().filter(|(_, times)| **times != 1).collect();
    assert!(repeated.is_empty(), "prepared more than once: {repeated:#?}");
}

/// Diesel prepares a statement that it does not cache at every run, without an event. So every
/// statement that runs must be one of those that were cached.
#[test]
fn every_statement_that_runs_is_kept_prepared() {
    let statements = Statements::record();
    let mut store = store();
    run_job_writes(&mut store);
    let cached: BTreeSet<String> = statements.prepared().into_iter().collect();
    statements.clear();
    run_job_writes(&mut store);
    store.commit(&[submit(vec![job()]), lease("default", Lane::Async, 1)]);
    let ran: BTreeSet<String> = statements.run().into_iter().collect();
    let uncached: Vec<&String> = ran.difference(&cached).collect();
    assert!(uncached.is_empty(), "{uncached:#?}");
}

#[test]
fn the_statements_of_the_keeper_are_prepared_once() {
    let statements = Statements::record();
    let mut store = Store::fresh();
    store.submit(job());
    let queues = vec![(job().queue, Counters::default())];
    let bucket = TimeBucket { began_at: store.now, queues, all: Counters::default() };
    let writes = [
        Write::TimeBuckets(vec![bucket.into()]),
        Write::RecordActivity,
        Write::Probe,
        Write::Stage { limit: 10 },
        Write::Expire { limit: 10 },
        Write::Rescue { scope: RescueScope::expired_now(), limit: 10 },
    ];
    store.commit(&writes);
    statements.clear();
    for _ in 0..3 {
        store.commit(&writes);
    }
    assert_eq!(statements.prepared(), Vec::<String>::new());
}

#[test]
fn the_statements_of_lists_are_prepared_once() {
    let statements = Statements::record();
    let mut store = Store::fresh();
    for state in State::ALL {
        store.job_in(state);
    }
    list_once(&mut store);
    statements.clear();
    list_once(&mut store);
    assert_eq!(statements.prepared(), Vec::<String>::new());
}

/// If a bound value is compared with a column of a partial index's condition, or follows LIMIT alone,
/// SQLite uses the value for its plan and prepares the statement again whenever a value is bound. Diesel
/// does not notice that, but SQLite counts it.
#[test]
fn sqlite_prepares_no_statement_again_for_a_bound_value() {
    let statements = Statements::record();
    let mut store = store();
    let database = store.backend();
    statements.clear();
    run_job_writes(&mut store);
    store.commit(&[
        Write::Stage { limit: 10 },
        Write::Expire { limit: 10 },
        Write::Rescue { scope: RescueScope::expired_now(), limit: 10 },
        Write::Rescue { scope: RescueScope::Dead, limit: 10 },
    ]);
    store.writes().queue_loads().unwrap();
    store.reads.job(JobId(1)).unwrap().unwrap();
    store.reads.queues(store.now).unwrap();
    list_once(&mut store);
    let connection = rusqlite::Connection::open(database.path()).unwrap();
    let run: BTreeSet<String> = statements.run().into_iter().collect();
    let on_jobs = |sql: &&String| sql.contains("jobs");
    let reprepared: Vec<&String> =
        run.iter().filter(on_jobs).filter(|sql| is_reprepared(&connection, sql)).collect();
    assert!(reprepared.is_empty(), "{reprepared:#?}");
    assert!(is_reprepared(&connection, "SELECT id FROM jobs WHERE state = ? LIMIT ?"));
}

/// Runs a statement with two different values, and returns whether SQLite prepared it again. Rolls back
/// its changes.
fn is_reprepared(connection: &rusqlite::Connection, sql: &str) -> bool {
    let transaction = connection.unchecked_transaction().unwrap();
    let mut statement = transaction.prepare(sql).unwrap();
    for value in [1, 2] {
        for index in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(index, value).unwrap();
        }
        let mut rows = statement.raw_query();
        // A constraint may refuse these values, but by then the statement has been planned.
        while let Ok(Some(_)) = rows.next() {}
    }
    statement.get_status(rusqlite::StatementStatus::RePrepare) > 0
}

/// SQLite creates a table in memory for an IN of more than two values in a CHECK, at every row.
#[test]
fn a_plain_statement_creates_no_table_in_memory() {
    let statements = Statements::record();
    let mut store = store();
    let database = store.backend();
    statements.clear();
    run_job_writes(&mut store);
    let connection = rusqlite::Connection::open(database.path()).unwrap();
    let run: BTreeSet<String> = statements.run().into_iter().collect();
    let is_plain = |sql: &&String| {
        let is_write = sql.starts_with("INSERT INTO ") || sql.starts_with("UPDATE jobs");
        is_write && !sql.contains("RETURNING") && !sql.contains("SELECT")
    };
    let mut checked = 0;
    for sql in run.iter().filter(is_plain) {
        let mut explain = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get::<_, String>("opcode"));
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{sql}: {steps:?}");
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} statements were checked");
}
