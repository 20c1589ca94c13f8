//! Statements are prepared once a connection, however often they run.

use std::collections::{BTreeMap, BTreeSet};

use longshore::job::counters::{Counters, TimeBucket};
use longshore::job::{BatchId, JobId, Lane, Log, NewJob, Progress, State};
use longshore::store::{Holder, JobFilter, LogLines, Renew, RescueScope, Write};

use crate::kit::statements::Statements;
use crate::kit::{
    Store, completed, failed, finish, finish_remote, ids, job, lease, lease_kinds, leased,
    renew_remote, submit,
};

/// Submits, leases and finishes one job in each way, in groups of their own.
fn live_once(store: &mut Store) {
    // By one statement of each size.
    store.submit_all(vec![job(); 16 + 4]);
    store.submit_all(vec![NewJob { tags: vec!["a".into()], ..job() }, job()]);
    let jobs = leased(store.write(lease("default", Lane::Async, 2)));
    assert_eq!(ids(&jobs).len(), 2);
    store.write(Write::Report(jobs[0].lease, Progress::new(1.0, ""))).unwrap();
    let (lease, holder, log) = (jobs[0].lease, Holder::Local, Log::new("one\n".into()));
    store.write(Write::Log(LogLines { lease, holder, log })).unwrap();
    store.commit(&[finish(jobs[0].lease, completed("1")), finish(jobs[1].lease, failed())]);
    store.write(Write::Cancel(jobs[1].lease.job)).unwrap();
    live_remotely(store);
}

/// The same with remote workers, one of which takes some kinds only and has a name.
fn live_remotely(store: &mut Store) {
    let remote = NewJob { lane: Lane::Remote, ..job() };
    for take in [lease("default", Lane::Remote, 10), lease_kinds(&["echo", "other"])] {
        store.submit_all(vec![remote.clone(); 2]);
        let jobs = leased(store.write(take));
        let leases: Vec<_> = jobs.iter().map(|job| job.lease).collect();
        let renew = Renew { progress: Some(Progress::new(1.0, "")), ..renew_remote(&leases) };
        store.write(Write::Renew(renew)).unwrap();
        let ends = [completed("1"), failed()];
        let ends = jobs.iter().zip(ends).map(|(job, end)| finish_remote(job.lease, end)).collect();
        store.write(Write::Each(ends)).unwrap();
        store.write(Write::Cancel(jobs[1].lease.job)).unwrap();
    }
}

/// Lists by each index that there is.
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
fn each_statement_of_a_jobs_life_is_prepared_once() {
    let statements = Statements::record();
    let mut store = Store::fresh();
    for _ in 0..20 {
        live_once(&mut store);
    }
    let mut prepared: BTreeMap<String, usize> = BTreeMap::new();
    for sql in statements.prepared() {
        *prepared.entry(sql).or_default() += 1;
    }
    for beginning in ["INSERT INTO jobs", "UPDATE jobs", "INSERT INTO results"] {
        let is_there = prepared.keys().any(|sql| sql.starts_with(beginning));
        assert!(is_there, "nothing prepared begins with {beginning}: {prepared:#?}");
    }
    let again: Vec<_> = prepared.iter().filter(|(_, times)| **times != 1).collect();
    assert!(again.is_empty(), "prepared more than once: {again:#?}");
}

/// What is not kept is prepared at every run without a word; so nothing else may run.
#[test]
fn nothing_runs_that_is_not_kept_prepared() {
    let statements = Statements::record();
    let mut store = Store::fresh();
    live_once(&mut store);
    let kept: BTreeSet<String> = statements.prepared().into_iter().collect();
    statements.forget();
    live_once(&mut store);
    store.commit(&[submit(vec![job()]), lease("default", Lane::Async, 1)]);
    let ran: BTreeSet<String> = statements.run().into_iter().collect();
    let loose: Vec<&String> = ran.difference(&kept).collect();
    assert!(loose.is_empty(), "{loose:#?}");
}

#[test]
fn the_keepers_statements_are_prepared_once_as_well() {
    let statements = Statements::record();
    let mut store = Store::fresh();
    store.submit(job());
    let queues = vec![(job().queue, Counters::default())];
    let stretch = TimeBucket { began_at: store.now, queues, all: Counters::default() };
    let keep = [
        Write::TimeBuckets(vec![stretch.into()]),
        Write::Stage { limit: 10 },
        Write::Expire { limit: 10 },
        Write::Rescue { scope: RescueScope::expired_now(), limit: 10 },
    ];
    store.commit(&keep);
    statements.forget();
    for _ in 0..3 {
        store.commit(&keep);
    }
    assert_eq!(statements.prepared(), Vec::<String>::new());
}

#[test]
fn what_lists_look_through_indexes_with_is_prepared_once() {
    let statements = Statements::record();
    let mut store = Store::fresh();
    for state in State::ALL {
        store.job_in(state);
    }
    list_once(&mut store);
    statements.forget();
    list_once(&mut store);
    assert_eq!(statements.prepared(), Vec::<String>::new());
}

/// Where a bound value stands beside the condition of a partial index, or alone behind LIMIT, SQLite
/// looks at it to plan, and so prepares the statement anew, by itself, each time a value is bound.
/// Diesel does not see that; SQLite counts it.
#[test]
fn sqlite_prepares_no_statement_anew_for_a_bound_value() {
    let statements = Statements::record();
    let (mut store, database) = Store::on_sqlite();
    statements.forget();
    live_once(&mut store);
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
    let again: Vec<&String> =
        run.iter().filter(on_jobs).filter(|sql| is_prepared_anew(&connection, sql)).collect();
    assert!(again.is_empty(), "{again:#?}");
    assert!(is_prepared_anew(&connection, "SELECT id FROM jobs WHERE state = ? LIMIT ?"));
}

/// Runs a statement with one value and with another, and undoes what it did.
fn is_prepared_anew(connection: &rusqlite::Connection, sql: &str) -> bool {
    let undone = connection.unchecked_transaction().unwrap();
    let mut statement = undone.prepare(sql).unwrap();
    for value in [1, 2] {
        for place in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(place, value).unwrap();
        }
        let mut rows = statement.raw_query();
        // A constraint may refuse what these values would make; it was planned by then.
        while let Ok(Some(_)) = rows.next() {}
    }
    statement.get_status(rusqlite::StatementStatus::RePrepare) > 0
}

/// An IN of more than two values in a CHECK costs a table in memory at every row.
#[test]
fn a_plain_statement_makes_no_table_in_memory() {
    let statements = Statements::record();
    let (mut store, database) = Store::on_sqlite();
    statements.forget();
    live_once(&mut store);
    let connection = rusqlite::Connection::open(database.path()).unwrap();
    let run: BTreeSet<String> = statements.run().into_iter().collect();
    let is_plain = |sql: &&String| {
        let is_write = sql.starts_with("INSERT INTO ") || sql.starts_with("UPDATE jobs");
        is_write && !sql.contains("RETURNING") && !sql.contains("SELECT")
    };
    let mut seen = 0;
    for sql in run.iter().filter(is_plain) {
        let mut explain = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get::<_, String>("opcode"));
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{sql}: {steps:?}");
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} statements were seen");
}
