//! Query plans of the statements that run often.
//!
//! Their cost must not grow with the other rows of the table, so each must use its partial index in
//! the order of that index, without a scan or a sort. This is tested in an empty table, where SQLite
//! has no statistics, and in a full one before and after ANALYZE.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use longshore::job::lease::LeaseState;
use longshore::job::outcome::{JobResult, Outcome};
use longshore::job::submission::on_end::callback::Callback;
use longshore::job::submission::on_end::{OnEnd, Owner};
use longshore::job::{BatchId, JobId, Json, Lane, NewJob, State};
use longshore::store::{
    BatchJobsQuery, EndQuery, JobFilter, NewBatch, RescueScope, ResultQuery, Submit, Write,
};

use super::Store;
use crate::kit::sqlite::run;
use crate::kit::statements::Statements;
use crate::kit::{
    chat, completed, failed, finish, ids, job, job_in_queue, lease, lease_kinds, lease_lines,
    leased, submit, with_providers,
};

/// Returns a store with two providers, one of which has a limit.
fn store() -> Store {
    Store::configured(with_providers(&[("fast", None, None), ("full", Some(2), None)]))
}

/// Returns writes, the index that they must use to find jobs, and the number of statements that do so.
fn lookups() -> [(Write, &'static str, usize); 9] {
    let rescue = |scope| Write::Rescue { scope, limit: 10 };
    [
        (lease("default", Lane::Async, 10), "jobs_queued", 1),
        // The jobs without a provider, and those of each provider.
        (lease_lines("default", 10, &["fast", "full"]), "jobs_queued", 3),
        (lease("default", Lane::Remote, 10), "jobs_queued", 1),
        (lease_kinds(&["echo"]), "jobs_queued_remote", 1),
        // The due jobs, and the time at which the next one is due.
        (Write::Stage { limit: 10 }, "jobs_due", 2),
        (Write::Expire { limit: 10 }, "jobs_expiring", 2),
        (rescue(RescueScope::expired_now()), "jobs_leased", 2),
        // In addition, one statement of the repair of clock skew.
        (rescue(RescueScope::Dead), "jobs_leased", 3),
        (rescue(RescueScope::Dead), "jobs_due", 1),
    ]
}

/// Returns the statements of a write that find jobs by the columns of an index.
fn statements_of(write: Write, index: &str) -> Vec<String> {
    let statements = Statements::record();
    let mut store = store();
    store.submit(job());
    statements.clear();
    store.write(write).unwrap();
    let word = match index {
        "jobs_queued" => "lane = ",
        "jobs_queued_remote" => "kind = ",
        "jobs_due" => "run_at",
        "jobs_expiring" => "expires_at IS NOT NULL",
        "jobs_leased" => "lease_expires_at",
        _ => unreachable!("no write is known to use {index}"),
    };
    let mut found = statements.run();
    found.retain(|sql| sql.contains("jobs") && sql.contains(word));
    found
}

/// Step of a query plan.
#[derive(QueryableByName)]
struct PlanStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

fn plan(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let steps: Vec<PlanStep> = diesel::sql_query(explain).load(connection).unwrap();
    steps.into_iter().map(|step| step.detail).collect()
}

/// Returns whether a step scans a whole table or index. SQLite also shows `min()` as a scan, although
/// it reads only the first row of the index.
fn is_whole_scan(step: &str, sql: &str) -> bool {
    let is_first_of_index = sql.starts_with("SELECT min(") && step.contains("COVERING INDEX");
    step.starts_with("SCAN") && !is_first_of_index
}

fn assert_plan(connection: &mut SqliteConnection, sql: &str, index: &str) {
    let plan = plan(connection, sql);
    let shown = format!("{sql}\n{plan:#?}");
    assert!(plan.iter().any(|step| step.contains(&format!("INDEX {index}"))), "{index}: {shown}");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "sorts: {shown}");
    assert!(!plan.iter().any(|step| is_whole_scan(step, sql)), "scans: {shown}");
}

/// A remote lease first finds ids and then updates the jobs by id.
#[test]
fn a_remote_lease_updates_jobs_by_their_ids() {
    let statements = Statements::record();
    let (mut store, database) = Store::on_sqlite();
    store.submit(NewJob { lane: Lane::Remote, ..job() });
    statements.clear();
    store.write(lease("default", Lane::Remote, 10)).unwrap();
    let update = statements.run().into_iter().find(|sql| sql.starts_with("UPDATE jobs")).unwrap();
    let plan = plan(&mut database.raw(), &update);
    assert!(plan.iter().any(|step| step.contains("INTEGER PRIMARY KEY")), "{plan:#?}");
}

#[test]
fn the_states_of_leases_are_found_by_the_ids_of_their_jobs() {
    let statements = Statements::record();
    let (mut store, database) = Store::on_sqlite();
    store.submit(NewJob { lane: Lane::Remote, ..job() });
    let leased = leased(store.write(lease("default", Lane::Remote, 10))).remove(0).lease;
    statements.clear();
    assert_eq!(store.reads.lease_states(&[leased], None).unwrap(), [LeaseState::Held]);
    let sql = statements.run().into_iter().find(|sql| sql.contains("cancel_requested")).unwrap();
    let steps = plan(&mut database.raw(), &sql).join("\n");
    for table in ["jobs", "queues", "remote_leases"] {
        assert!(steps.contains(&format!("SEARCH {table} USING INTEGER PRIMARY KEY")), "{steps}");
    }
}

#[test]
fn the_jobs_of_a_full_provider_are_not_looked_at() {
    let statements = Statements::record();
    let mut store = store();
    store.submit_all(vec![chat("full"); 50]);
    store.submit_all(vec![chat("fast"), job()]);
    let order = lease_lines("default", 10, &["fast", "full"]);
    let mut lookups = || {
        statements.clear();
        let leased = leased(store.write(order.clone())).len();
        let run = statements.run();
        (leased, run.iter().filter(|sql| sql.contains("octet_length(payload)")).count())
    };
    assert_eq!([lookups(), lookups()], [(4, 3), (0, 2)]);
}

fn assert_plans(connection: &mut SqliteConnection) {
    for (write, index, count) in lookups() {
        let statements = statements_of(write.clone(), index);
        assert_eq!(statements.len(), count, "{write:?} runs {statements:#?}");
        for sql in statements {
            assert_plan(connection, &sql, index);
        }
    }
}

#[test]
fn each_lookup_uses_its_index_in_an_empty_table() {
    let (_store, database) = Store::on_sqlite();
    assert_plans(&mut database.raw());
}

/// Inserts 14,000 jobs of all states, queues and lanes, most of which have ended.
fn fill(store: &mut Store) {
    for name in ["default", "mail", "reports"] {
        for lane in Lane::ALL {
            let plain = NewJob { lane, ..job_in_queue(name) };
            store.submit_all(vec![plain.clone(); 1_100]);
            let jobs = leased(store.write(lease(name, lane, 1_050)));
            assert_eq!(ids(&jobs).len(), 1_050);
            let finishes = jobs.iter().take(1_000).enumerate().map(|(index, job)| {
                finish(job.lease, if index % 20 == 0 { failed() } else { completed("1") })
            });
            store.commit(&finishes.collect::<Vec<_>>());
            let expires_at = Some(store.after(5_000));
            let run_at = store.after(4_000);
            let scheduled = NewJob { run_at, is_scheduled: true, expires_at, ..plain };
            store.commit(&[submit(vec![scheduled; 50])]);
        }
    }
}

#[test]
fn each_lookup_uses_its_index_in_a_full_table() {
    let (mut store, database) = Store::on_sqlite();
    fill(&mut store);
    for state in [State::Scheduled, State::Queued, State::Running, State::Retrying] {
        let filter = JobFilter { state: Some(state), limit: 1, ..JobFilter::default() };
        assert!(!store.reads.jobs(&filter).unwrap().jobs.is_empty(), "none is {state}");
    }
    let mut connection = database.raw();
    assert_plans(&mut connection);
    run(&mut connection, "ANALYZE").unwrap();
    // A connection reads the statistics when it is opened.
    assert_plans(&mut database.raw());
}

#[test]
fn the_deliveries_of_a_job_or_batch_are_found_by_their_index() {
    let statements = Statements::record();
    let (mut store, database) = Store::on_sqlite();
    let url = "https://receiver.example/hook";
    let callback: Callback = serde_json::from_str(&format!(r#"{{"url": "{url}"}}"#)).unwrap();
    let on_end = || OnEnd::new(Some(callback.clone()), None);
    let batch = Some(NewBatch { name: None, on_end: on_end(), open_for: None });
    let jobs = vec![NewJob { on_end: on_end(), ..job() }].into();
    store.write(Write::Submit(Submit { jobs, key: None, batch })).unwrap();
    let ended = store.lease_next().lease;
    store.finish(ended, Outcome::Completed(JobResult::whole(Json::null()))).unwrap();
    statements.clear();
    for owner in [Owner::Job(ended.job), Owner::Batch(BatchId(1))] {
        assert_eq!(store.reads.deliveries(owner, 10).unwrap().unwrap().len(), 1);
    }
    let run: BTreeSet<String> = statements.run().into_iter().collect();
    for (condition, index) in
        [("job_id = ", "deliveries_of_job"), ("batch_id = ", "deliveries_of_batch")]
    {
        let start = format!("SELECT id FROM deliveries WHERE {condition}");
        let sql = run.iter().find(|sql| sql.starts_with(&start)).unwrap();
        assert_plan(&mut database.raw(), sql, index);
    }
    let reads = run.iter().filter(|sql| sql.contains("FROM deliveries"));
    for sql in reads {
        let plan = plan(&mut database.raw(), sql);
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{sql}\n{plan:#?}");
    }
}

/// Returns a filter for each index, and some for two.
fn filters() -> Vec<JobFilter> {
    let plain = JobFilter { limit: 10, ..JobFilter::default() };
    let (kind, in_queue) = (Some("echo".to_string()), Some(job().queue));
    let mut filters = vec![
        plain.clone(),
        JobFilter { tag: Some("red".into()), ..plain.clone() },
        JobFilter { batch: Some(BatchId(1)), ..plain.clone() },
    ];
    for state in State::ALL.into_iter().map(Some).chain([None]) {
        for (kind, queue) in
            [(&None, &None), (&kind, &None), (&None, &in_queue), (&kind, &in_queue)]
        {
            filters.push(JobFilter {
                state,
                kind: kind.clone(),
                queue: queue.clone(),
                ..plain.clone()
            });
        }
    }
    filters
}

/// Returns the SELECT statements that lists run.
fn list_statements(store: &mut Store, statements: &Statements) -> BTreeSet<String> {
    statements.clear();
    for filter in filters() {
        store.reads.jobs(&filter).unwrap();
    }
    store.reads.recent_failures(10).unwrap();
    let is_select = |sql: &String| sql.starts_with("SELECT") || sql.starts_with("WITH");
    statements.run().into_iter().filter(is_select).collect()
}

fn assert_no_scan(connection: &mut SqliteConnection, sql: &str) {
    let plan = plan(connection, sql);
    let tables = ["SCAN jobs", "SCAN results", "SCAN job_tags", "SCAN remote_leases"];
    let is_scan = |step: &String| tables.iter().any(|scan| step.starts_with(scan));
    assert!(!plan.iter().any(is_scan), "scans: {sql}\n{plan:#?}");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "sorts: {sql}\n{plan:#?}");
}

#[test]
fn no_list_scans_or_sorts_a_table() {
    let statements = Statements::record();
    let (mut store, database) = Store::on_sqlite();
    fill(&mut store);
    let run_by_lists = list_statements(&mut store, &statements);
    for index in ["batch", "listed", "queued", "leased", "rare", "rare_listed", "failed_at"] {
        let name = format!("INDEXED BY jobs_{index}");
        let mut words = run_by_lists
            .iter()
            .flat_map(|sql| sql.split("\n").flat_map(|line| line.split(" WHERE")));
        assert!(words.any(|words| words.ends_with(&name)), "{name}: {run_by_lists:#?}");
    }
    for sql in &run_by_lists {
        assert_no_scan(&mut database.raw(), sql);
    }
    run(&mut database.raw(), "ANALYZE").unwrap();
    for sql in &run_by_lists {
        assert_no_scan(&mut database.raw(), sql);
    }
}

#[test]
fn the_results_of_a_batch_are_read_by_its_index_in_the_order_of_ids() {
    let statements = Statements::record();
    let (mut store, database) = Store::on_sqlite();
    fill(&mut store);
    let batch = Some(NewBatch::default());
    store.write(Write::Submit(Submit { jobs: vec![job(); 3].into(), key: None, batch })).unwrap();
    statements.clear();
    let query = ResultQuery { batch: BatchId(1), after: JobId(1), limit: 2, max_bytes: 100 };
    assert_eq!(store.reads.batch_results(&query).unwrap().unwrap().results.len(), 2);
    let query = EndQuery { batch: BatchId(1), after: 0, limit: 2, max_bytes: 100 };
    assert!(store.reads.batch_update(&query).unwrap().is_some());
    let run: BTreeSet<String> = statements.run().into_iter().collect();
    let query = BatchJobsQuery { batch: BatchId(1), states: vec![State::Queued], after: JobId(1) };
    assert_eq!(store.reads.batch_jobs(&query).unwrap().jobs.len(), 3);
    let run: BTreeSet<String> = run.into_iter().chain(statements.run()).collect();
    for start in ["SELECT id FROM jobs", "SELECT id, state FROM jobs"] {
        let page = run.iter().find(|sql| sql.starts_with(start)).unwrap();
        assert_plan(&mut database.raw(), page, "jobs_batch");
    }
    let ends = run.iter().find(|sql| sql.contains("FROM batch_ends")).unwrap();
    let by_key = plan(&mut database.raw(), ends);
    assert!(by_key[0].starts_with("SEARCH batch_ends USING PRIMARY KEY"), "{by_key:?}");
    for sql in run.iter().filter(|sql| sql.starts_with("SELECT")) {
        assert_no_scan(&mut database.raw(), sql);
    }
}
