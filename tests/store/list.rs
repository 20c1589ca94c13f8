//! Lists: newest first, by any filter, a page at a time.

use longshore::job::{BatchId, Job, JobId, Json, NewJob, State};
use longshore::store::{JobFilter, NewBatch, Submit, Write};

use crate::kit::sqlite::run;
use crate::kit::{Store, completed, failed, job, queue};

fn all() -> JobFilter {
    JobFilter { limit: 200, ..JobFilter::default() }
}

/// Follows the cursors to the end: the ids, and how many pages that took.
fn walk(store: &mut Store, filter: &JobFilter) -> (Vec<i64>, usize) {
    let mut found = Vec::new();
    let mut filter = filter.clone();
    for pages in 1.. {
        let page = store.reads.jobs(&filter).unwrap();
        assert!(page.jobs.len() <= filter.limit as usize);
        found.extend(page.jobs.iter().map(|job| job.id.0));
        match page.next {
            Some(next) if filter.before.is_none_or(|before| next < before) => {
                filter.before = Some(next);
            }
            Some(next) => panic!("the cursor {next} does not go on from {filter:?}"),
            None => return (found, pages),
        }
    }
    unreachable!("ids are finite")
}

fn ids(store: &mut Store, filter: &JobFilter) -> Vec<i64> {
    walk(store, filter).0
}

/// Three hundred jobs: each third in queue `mail`, each fifth of kind `http`, each seventh tagged
/// `seven`, the first hundred in a batch, of those some ended.
fn mixed_store() -> Store {
    let mut store = Store::fresh();
    let jobs: Vec<NewJob> = (1..=300).map(mixed_job).collect();
    let batch = Some(NewBatch { name: None });
    let first = jobs[..100].to_vec().into();
    store.write(Write::Submit(Submit { jobs: first, key: None, batch })).unwrap();
    store.submit_all(jobs[100..].to_vec());
    for id in (1..=100).filter(|id| id % 2 == 0) {
        store.cancel(Write::Cancel(JobId(id)));
    }
    store
}

fn mixed_job(id: i64) -> NewJob {
    NewJob {
        queue: if id % 3 == 0 { queue("mail") } else { queue("default") },
        kind: if id % 5 == 0 { "http".into() } else { "echo".into() },
        tags: if id % 7 == 0 { vec!["seven".into(), "odd".into()] } else { Vec::new() },
        ..job()
    }
}

fn expected(matches: impl Fn(i64) -> bool) -> Vec<i64> {
    (1..=300).rev().filter(|id| matches(*id)).collect()
}

fn is_cancelled(id: i64) -> bool {
    id <= 100 && id % 2 == 0
}

#[test]
fn a_list_begins_with_the_newest_and_follows_its_cursor_to_the_end() {
    let mut store = mixed_store();
    assert_eq!(ids(&mut store, &all()), expected(|_| true));
    let (found, pages) = walk(&mut store, &JobFilter { limit: 7, ..all() });
    assert_eq!(found, expected(|_| true));
    assert_eq!(pages, 43);
}

#[test]
fn each_filter_alone_finds_its_jobs() {
    let mut store = mixed_store();
    let found = ids(&mut store, &JobFilter { queue: Some(queue("mail")), ..all() });
    assert_eq!(found, expected(|id| id % 3 == 0));
    let found = ids(&mut store, &JobFilter { kind: Some("http".into()), ..all() });
    assert_eq!(found, expected(|id| id % 5 == 0));
    let found = ids(&mut store, &JobFilter { tag: Some("seven".into()), ..all() });
    assert_eq!(found, expected(|id| id % 7 == 0));
    let found = ids(&mut store, &JobFilter { batch: Some(BatchId(1)), ..all() });
    assert_eq!(found, expected(|id| id <= 100));
    let found = ids(&mut store, &JobFilter { state: Some(State::Cancelled), ..all() });
    assert_eq!(found, expected(is_cancelled));
    let found = ids(&mut store, &JobFilter { state: Some(State::Queued), ..all() });
    assert_eq!(found, expected(|id| !is_cancelled(id)));
}

/// Every way to set some of five filters, on pages of every size.
#[test]
fn filters_together_find_what_each_of_them_finds() {
    let mut store = mixed_store();
    for bits in 0..32 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        for limit in [1, 4, 200] {
            let filter = JobFilter {
                state: has(0).then_some(State::Cancelled),
                queue: has(1).then(|| queue("mail")),
                kind: has(2).then(|| "http".into()),
                tag: has(3).then(|| "seven".into()),
                batch: has(4).then_some(BatchId(1)),
                limit,
                ..JobFilter::default()
            };
            let expected = expected(|id| {
                (!has(0) || is_cancelled(id))
                    && (!has(1) || id % 3 == 0)
                    && (!has(2) || id % 5 == 0)
                    && (!has(3) || id % 7 == 0)
                    && (!has(4) || id <= 100)
            });
            assert_eq!(ids(&mut store, &filter), expected, "{filter:?}");
        }
    }
}

#[test]
fn a_filter_that_nothing_matches_gives_an_empty_end() {
    let mut store = mixed_store();
    let nothing = [
        JobFilter { queue: Some(queue("none")), ..all() },
        JobFilter { tag: Some("none".into()), ..all() },
        JobFilter { batch: Some(BatchId(9)), ..all() },
        JobFilter { state: Some(State::Running), ..all() },
        JobFilter { before: Some(JobId(1)), ..all() },
        JobFilter { before: Some(JobId(-5)), ..all() },
        JobFilter { before: Some(JobId(i64::MIN)), ..all() },
    ];
    for filter in nothing {
        assert_eq!(walk(&mut store, &filter), (Vec::new(), 1), "{filter:?}");
    }
    let mut empty = Store::fresh();
    assert_eq!(walk(&mut empty, &all()), (Vec::new(), 1));
}

#[test]
fn a_cursor_above_the_newest_job_begins_with_the_newest() {
    let mut store = mixed_store();
    for before in [301, 1_000_000_000, i64::MAX] {
        let page = store.reads.jobs(&JobFilter { before: Some(JobId(before)), ..all() }).unwrap();
        assert_eq!(page.jobs.first().map(|job| job.id), Some(JobId(300)), "before {before}");
    }
}

#[test]
fn jobs_submitted_meanwhile_do_not_disturb_a_walk() {
    let mut store = mixed_store();
    let first = store.reads.jobs(&JobFilter { limit: 10, ..all() }).unwrap();
    store.submit(job());
    let filter = JobFilter { before: first.next, ..all() };
    assert_eq!(ids(&mut store, &filter), expected(|id| id <= 290));
}

fn finished_job(store: &mut Store) -> JobId {
    let new = NewJob { payload: Json::trusted("[1]"), tags: vec!["t".into()], ..job() };
    let lease = store.running(new);
    store.finish(lease, completed("[2]")).unwrap();
    lease.job
}

fn only(store: &mut Store, filter: &JobFilter) -> Job {
    store.reads.jobs(filter).unwrap().jobs.pop().unwrap()
}

#[test]
fn payloads_and_results_are_left_out_unless_asked_for() {
    let mut store = Store::fresh();
    let id = finished_job(&mut store);
    let whole = store.job(id);
    for (with_payload, with_result) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let expected = Job {
            payload: whole.payload.clone().filter(|_| with_payload),
            result: whole.result.clone().filter(|_| with_result),
            failures: None,
            ..whole.clone()
        };
        let filter = JobFilter { with_payload, with_result, ..all() };
        assert_eq!(only(&mut store, &filter), expected);
    }
}

/// A store with one rare job far below others. The ids between them are of jobs that are gone.
fn sparse_store() -> Store {
    let (mut store, database) = Store::on_sqlite();
    store.submit(NewJob { kind: "rare".into(), tags: vec!["rare".into()], ..job() });
    let jump = "UPDATE sqlite_sequence SET seq = 1200000 WHERE name = 'jobs'";
    run(&mut database.raw(), jump).unwrap();
    store.submit_all(vec![job(); 300]);
    store
}

#[test]
fn a_rare_match_far_below_is_on_the_first_page() {
    let mut store = sparse_store();
    let rare = JobFilter { kind: Some("rare".into()), ..all() };
    assert_eq!(walk(&mut store, &rare), (vec![1], 1));
    let both = JobFilter { tag: Some("rare".into()), state: Some(State::Queued), ..rare };
    assert_eq!(walk(&mut store, &both), (vec![1], 1));
}

#[test]
fn a_page_may_be_filled_from_both_sides_of_a_gap() {
    let mut store = sparse_store();
    let (found, _) = walk(&mut store, &JobFilter { limit: 299, ..all() });
    let newest_first: Vec<i64> = (1_200_001..=1_200_300).rev().chain([1]).collect();
    assert_eq!(found, newest_first);
}

#[test]
fn a_page_of_large_payloads_ends_early_and_goes_on_by_its_cursor() {
    let mut store = Store::fresh();
    let large = NewJob { payload: Json::trusted(format!("\"{}\"", "x".repeat(1 << 20))), ..job() };
    let submitted = store.submit_all(vec![large; 20]);
    let mut filter = JobFilter { with_payload: true, limit: 200, ..all() };
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = store.reads.jobs(&filter).unwrap();
        assert!(page.jobs.len() < 20, "a page of 20 MiB");
        seen.extend(page.jobs.iter().map(|job| job.id));
        pages += 1;
        let Some(next) = page.next else { break };
        filter.before = Some(next);
    }
    seen.reverse();
    assert_eq!(seen, submitted.ids().collect::<Vec<_>>());
    assert!(pages > 1);
}

/// Jobs of two sorts in turn, of 40,000 each: tagged ones and those of another kind. One has both.
fn striped_store() -> Store {
    let (mut store, database) = Store::on_sqlite();
    let striped = NewJob { tags: vec!["striped".into()], kind: "odd".into(), ..job() };
    store.submit(striped);
    let more = "
        WITH RECURSIVE ids (id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM ids WHERE id <= 80000)
        INSERT INTO jobs (id, state, lane, queue_id, priority, max_attempts, created_at, run_at,
            at_most_once, timeout_ms, backoff_initial_ms, backoff_factor, backoff_max_ms,
            backoff_jitter, tags, kind, payload)
        SELECT ids.id, state, lane, queue_id, priority, max_attempts, created_at, run_at,
            at_most_once, timeout_ms, backoff_initial_ms, backoff_factor, backoff_max_ms,
            backoff_jitter, iif(ids.id % 2, NULL, tags), iif(ids.id % 2, kind, 'even'), payload
        FROM ids, jobs WHERE jobs.id = 1;
        INSERT INTO job_tags SELECT 'striped', id FROM jobs WHERE id > 1 AND tags IS NOT NULL;
        UPDATE queue_counts SET jobs = jobs + 80000 WHERE state = 1";
    run(&mut database.raw(), more).unwrap();
    store
}

#[test]
fn where_two_filters_hardly_meet_pages_come_back_short() {
    let mut store = striped_store();
    let filter = JobFilter { tag: Some("striped".into()), kind: Some("odd".into()), ..all() };
    let (found, pages) = walk(&mut store, &filter);
    assert_eq!(found, [1]);
    assert!(pages > 1, "each page looks through a bounded part of the table");
}

#[test]
fn what_failed_last_need_not_have_been_submitted_last() {
    let mut store = Store::fresh();
    let old = store.running(NewJob { max_attempts: 1, ..job() });
    let new = store.running(NewJob { max_attempts: 1, ..job() });
    for lease in [new, old] {
        store.pass(1);
        store.finish(lease, failed()).unwrap();
    }
    store.job_in(State::Completed);
    let told: Vec<JobId> =
        store.reads.recent_failures(10).unwrap().iter().map(|job| job.id).collect();
    assert_eq!(told, [old.job, new.job]);
    assert_eq!(store.reads.recent_failures(1).unwrap().len(), 1);
}
