//! Reads of a caller that may only use some queues.

use longshore::job::{BatchId, JobId, Lane, NewJob, State, Timestamp};
use longshore::store::{JobFilter, ReadStore, ResultQuery};

use super::{Store, access, submit_batch};
use crate::kit::{START, completed, failed, finish, job_in_queue, lease, leased};

/// Returns a store with the jobs 1 and 3 in the queue mail, 2 in web, and 4 in mail.eu.
fn store() -> Store {
    let mut store = Store::fresh();
    for queue in ["mail", "web", "mail", "mail.eu"] {
        store.submit(NewJob { tags: crate::kit::tags(&["red"]), ..job_in_queue(queue) });
    }
    store
}

fn restricted(store: &mut Store, patterns: &[&str]) -> Vec<JobId> {
    store.reads.restrict(&access(patterns));
    listed(&mut *store.reads, JobFilter::default())
}

fn listed(reads: &mut dyn ReadStore, filter: JobFilter) -> Vec<JobId> {
    let page = reads.jobs(&JobFilter { limit: 100, ..filter }).unwrap();
    page.jobs.iter().map(|job| job.id).collect()
}

fn ids(numbers: &[i64]) -> Vec<JobId> {
    numbers.iter().copied().map(JobId).collect()
}

#[test]
fn a_list_has_the_jobs_of_the_queues_that_the_caller_may_use() {
    let mut store = store();
    assert_eq!(restricted(&mut store, &["mail"]), ids(&[3, 1]));
    assert_eq!(restricted(&mut store, &["mail*"]), ids(&[4, 3, 1]));
    assert_eq!(restricted(&mut store, &["web", "*.eu"]), ids(&[4, 2]));
    assert_eq!(restricted(&mut store, &["other"]), []);
    store.reads.restrict(&access(&[]));
    assert_eq!(listed(&mut *store.reads, JobFilter::default()), ids(&[4, 3, 2, 1]));
}

#[test]
fn every_filter_of_a_list_keeps_to_these_queues() {
    let mut store = store();
    let lease_of = |store: &mut Store, queue| leased(store.write(lease(queue, Lane::Async, 1)));
    let mail = lease_of(&mut store, "mail").remove(0).lease;
    store.write(finish(mail, completed("1"))).unwrap();
    let web = lease_of(&mut store, "web").remove(0).lease;
    store.write(finish(web, failed())).unwrap();
    lease_of(&mut store, "mail.eu");
    let filters = [
        (JobFilter { kind: Some("echo".into()), ..JobFilter::default() }, ids(&[3, 1]), ids(&[2])),
        (JobFilter { tag: Some("red".into()), ..JobFilter::default() }, ids(&[3, 1]), ids(&[2])),
        (JobFilter { with_payload: true, ..JobFilter::default() }, ids(&[3, 1]), ids(&[2])),
        (JobFilter { state: Some(State::Queued), ..JobFilter::default() }, ids(&[3]), ids(&[])),
        (JobFilter { state: Some(State::Running), ..JobFilter::default() }, ids(&[]), ids(&[])),
        (JobFilter { state: Some(State::Completed), ..JobFilter::default() }, ids(&[1]), ids(&[])),
        (JobFilter { state: Some(State::Retrying), ..JobFilter::default() }, ids(&[]), ids(&[2])),
        (
            JobFilter { queue: Some("web".parse().unwrap()), ..JobFilter::default() },
            ids(&[]),
            ids(&[2]),
        ),
        (
            JobFilter {
                state: Some(State::Retrying),
                kind: Some("echo".into()),
                ..JobFilter::default()
            },
            ids(&[]),
            ids(&[2]),
        ),
    ];
    for (filter, of_mail, of_web) in filters {
        for (pattern, expected) in [("mail", of_mail), ("web", of_web)] {
            store.reads.restrict(&access(&[pattern]));
            assert_eq!(listed(&mut *store.reads, filter.clone()), expected, "{pattern} {filter:?}");
        }
    }
}

#[test]
fn a_page_is_filled_although_jobs_of_other_queues_are_between() {
    let mut store = Store::fresh();
    for index in 0..300 {
        store.submit(job_in_queue(if index % 100 == 0 { "mail" } else { "web" }));
    }
    store.reads.restrict(&access(&["mail"]));
    let page = store.reads.jobs(&JobFilter { limit: 2, ..JobFilter::default() }).unwrap();
    let found: Vec<JobId> = page.jobs.iter().map(|job| job.id).collect();
    assert_eq!((found, page.next), (ids(&[201, 101]), Some(JobId(101))));
}

#[test]
fn a_job_of_another_queue_does_not_exist() {
    let mut store = store();
    store.reads.restrict(&access(&["mail"]));
    for (id, exists) in [(1, true), (2, false), (4, false)] {
        let id = JobId(id);
        assert_eq!(store.reads.job(id).unwrap().is_some(), exists);
        assert_eq!(store.reads.log(id, 0).unwrap().is_some(), exists);
        assert_eq!(store.reads.job_update(id, 0).unwrap().is_some(), exists);
        assert_eq!(store.reads.job_summaries(&[id]).unwrap().len(), usize::from(exists));
        assert_eq!(store.reads.limits_of_job(id, store.now).unwrap().is_some(), exists);
    }
}

#[test]
fn queues_and_counts_are_those_that_the_caller_may_use() {
    let mut store = store();
    store.reads.restrict(&access(&["mail*"]));
    let names = |queues: Vec<longshore::job::queue::Queue>| -> Vec<String> {
        queues.into_iter().map(|queue| queue.name.to_string()).collect()
    };
    assert_eq!(names(store.reads.queues(store.now).unwrap()), ["mail", "mail.eu"]);
    let deepest = store.reads.deepest_queues(1, store.now).unwrap();
    assert_eq!((names(deepest.queues), deepest.total), (vec!["mail".to_owned()], 2));
    assert!(store.reads.queue(&"mail".parse().unwrap(), store.now).unwrap().is_some());
    assert_eq!(store.reads.queue(&"web".parse().unwrap(), store.now).unwrap(), None);
    assert_eq!(store.reads.counts().unwrap().len(), 2);
}

#[test]
fn the_latest_failures_are_those_of_these_queues() {
    let mut store = Store::fresh();
    for queue in ["mail", "web", "mail"] {
        store.submit(NewJob { max_attempts: 1, ..job_in_queue(queue) });
        let lease = leased(store.write(lease(queue, Lane::Async, 1))).remove(0).lease;
        store.write(finish(lease, failed())).unwrap();
    }
    store.reads.restrict(&access(&["mail"]));
    let failures = store.reads.recent_failures(2).unwrap();
    assert_eq!(failures.iter().map(|job| job.id.0).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn a_batch_exists_for_a_caller_that_may_use_all_of_its_queues() {
    let mut store = Store::fresh();
    for queues in [&["mail"][..], &["web"], &["mail", "web"], &["mail", "mail"]] {
        submit_batch(&mut store, queues);
    }
    let page = |store: &mut Store, limit, before: Option<i64>| {
        let page = store.reads.batches(limit, before.map(BatchId)).unwrap();
        let found: Vec<i64> = page.batches.iter().map(|batch| batch.id.0).collect();
        (found, page.next.map(|id| id.0))
    };
    store.reads.restrict(&access(&["mail"]));
    assert_eq!(page(&mut store, 10, None), (vec![4, 1], None));
    assert_eq!(page(&mut store, 1, None), (vec![4], Some(4)));
    assert_eq!(page(&mut store, 1, Some(4)), (vec![1], None));
    assert!(store.reads.batch(BatchId(1)).unwrap().is_some());
    assert_eq!(store.reads.batch(BatchId(3)).unwrap(), None);
    store.reads.restrict(&access(&["mail", "web"]));
    assert_eq!(page(&mut store, 2, None), (vec![4, 3], Some(3)));
    assert_eq!(page(&mut store, 2, Some(3)), (vec![2, 1], None));
}

#[test]
fn the_totals_of_charts_are_those_of_the_queues_that_the_caller_may_use() {
    let mut store = store();
    let all = (Timestamp::from_millis(START), store.after(3_600));
    store.reads.restrict(&access(&["web"]));
    let totals = store.reads.time_buckets(None, all).unwrap();
    let web = "web".parse().unwrap();
    assert_eq!(totals, store.reads.time_buckets(Some(&web), all).unwrap());
}

#[test]
fn the_results_of_a_batch_exist_for_a_caller_that_may_use_all_of_its_queues() {
    let mut store = store();
    let (own, mixed) =
        (submit_batch(&mut store, &["mail"]), submit_batch(&mut store, &["mail", "web"]));
    store.reads.restrict(&access(&["mail"]));
    let query = |batch| ResultQuery { batch, after: JobId(0), limit: 10, max_bytes: 100 };
    let found = store.reads.batch_results(&query(own)).unwrap().unwrap();
    assert_eq!((found.results.len(), found.next), (1, None));
    assert_eq!(store.reads.batch_results(&query(mixed)).unwrap(), None);
}
