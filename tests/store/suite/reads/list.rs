//! Lists: newest first, with any filter, one page at a time.

use longshore::job::{BatchId, Job, JobId, Json, NewJob, State};
use longshore::store::{JobFilter, NewBatch, Submit, Write};

use super::Store;
use crate::kit::backend::Backend;
use crate::kit::{completed, failed, job, queue, tags};

fn all() -> JobFilter {
    JobFilter { limit: 200, ..JobFilter::default() }
}

/// Reads all pages of a list, and returns the ids and the number of pages.
fn read_pages(store: &mut Store, filter: &JobFilter) -> (Vec<i64>, usize) {
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
            Some(next) => panic!("the cursor {next} does not continue {filter:?}"),
            None => return (found, pages),
        }
    }
    unreachable!("ids are finite")
}

fn ids(store: &mut Store, filter: &JobFilter) -> Vec<i64> {
    read_pages(store, filter).0
}

/// Creates 300 jobs: every third in the queue `mail`, every fifth of the kind `http`, every seventh
/// with the tag `seven`, the first hundred in a batch, and half of these cancelled.
fn mixed_store() -> Store {
    let mut store = Store::fresh();
    let jobs: Vec<NewJob> = (1..=300).map(mixed_job).collect();
    let batch = Some(NewBatch::default());
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
        kind: if id % 5 == 0 { "http".parse().unwrap() } else { "echo".parse().unwrap() },
        tags: if id % 7 == 0 { tags(&["seven", "odd"]) } else { Vec::new() },
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
fn a_list_starts_with_the_newest_job_and_its_cursors_lead_to_the_end() {
    let mut store = mixed_store();
    assert_eq!(ids(&mut store, &all()), expected(|_| true));
    let (found, pages) = read_pages(&mut store, &JobFilter { limit: 7, ..all() });
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

/// Tries all combinations of five filters, on pages of several sizes.
#[test]
fn combined_filters_find_the_jobs_that_match_all_of_them() {
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
fn a_filter_without_matches_returns_one_empty_page() {
    let mut store = mixed_store();
    let unmatched = [
        JobFilter { queue: Some(queue("none")), ..all() },
        JobFilter { tag: Some("none".into()), ..all() },
        JobFilter { batch: Some(BatchId(9)), ..all() },
        JobFilter { state: Some(State::Running), ..all() },
        JobFilter { before: Some(JobId(1)), ..all() },
        JobFilter { before: Some(JobId(-5)), ..all() },
        JobFilter { before: Some(JobId(i64::MIN)), ..all() },
    ];
    for filter in unmatched {
        assert_eq!(read_pages(&mut store, &filter), (Vec::new(), 1), "{filter:?}");
    }
    let mut empty = Store::fresh();
    assert_eq!(read_pages(&mut empty, &all()), (Vec::new(), 1));
}

#[test]
fn a_cursor_above_the_newest_job_starts_with_the_newest() {
    let mut store = mixed_store();
    for before in [301, 1_000_000_000, i64::MAX] {
        let page = store.reads.jobs(&JobFilter { before: Some(JobId(before)), ..all() }).unwrap();
        assert_eq!(page.jobs.first().map(|job| job.id), Some(JobId(300)), "before {before}");
    }
}

#[test]
fn jobs_submitted_meanwhile_do_not_change_the_pages_that_follow() {
    let mut store = mixed_store();
    let first = store.reads.jobs(&JobFilter { limit: 10, ..all() }).unwrap();
    store.submit(job());
    let filter = JobFilter { before: first.next, ..all() };
    assert_eq!(ids(&mut store, &filter), expected(|id| id <= 290));
}

fn finished_job(store: &mut Store) -> JobId {
    let new = NewJob { payload: Json::trusted("[1]"), tags: tags(&["t"]), ..job() };
    let lease = store.running(new);
    store.finish(lease, completed("[2]")).unwrap();
    lease.job
}

fn only(store: &mut Store, filter: &JobFilter) -> Job {
    store.reads.jobs(filter).unwrap().jobs.pop().unwrap()
}

#[test]
fn payloads_and_results_are_omitted_unless_requested() {
    let mut store = Store::fresh();
    let id = finished_job(&mut store);
    let full = store.job(id);
    for (with_payload, with_result) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let expected = Job {
            payload: full.payload.clone().filter(|_| with_payload),
            result: full.result.clone().filter(|_| with_result),
            failures: None,
            attempts: None,
            backoff: None,
            ..full.clone()
        };
        let filter = JobFilter { with_payload, with_result, ..all() };
        assert_eq!(only(&mut store, &filter), expected);
    }
}

/// Creates a store with one rare job whose id is far below the others, with unused ids between them.
fn sparse_store() -> Store {
    let mut store = Store::fresh();
    store.submit(NewJob { kind: "rare".parse().unwrap(), tags: tags(&["rare"]), ..job() });
    let now = store.now;
    // A new epoch skips ids.
    store.writes().begin_epoch(true, now).unwrap().unwrap();
    let first = store.submit_all(vec![job(); 300]).first;
    assert!(first.0 > 1_000_000);
    store
}

#[test]
fn a_rare_match_with_a_much_smaller_id_is_on_the_first_page() {
    let mut store = sparse_store();
    let rare = JobFilter { kind: Some("rare".into()), ..all() };
    assert_eq!(read_pages(&mut store, &rare), (vec![1], 1));
    let both = JobFilter { tag: Some("rare".into()), state: Some(State::Queued), ..rare };
    assert_eq!(read_pages(&mut store, &both), (vec![1], 1));
}

#[test]
fn a_page_may_be_filled_from_both_sides_of_a_gap() {
    let mut store = sparse_store();
    let (found, _) = read_pages(&mut store, &JobFilter { limit: 299, ..all() });
    let newest = found[0];
    let newest_first: Vec<i64> = (newest - 299..=newest).rev().chain([1]).collect();
    assert_eq!(found, newest_first);
}

#[test]
fn a_page_of_large_payloads_ends_early_and_continues_at_its_cursor() {
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

/// Creates 80,000 jobs that alternate: one has the tag, the next has the kind. One more job has both.
fn striped_store() -> Store {
    let mut store = Store::fresh();
    let striped = NewJob { tags: tags(&["striped"]), kind: "odd".parse().unwrap(), ..job() };
    store.submit(striped);
    let more = "
        WITH RECURSIVE ids (id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM ids WHERE id <= 80000)
        INSERT INTO jobs (id, state, lane, queue_id, priority, max_attempts, created_at, run_at,
            at_most_once, timeout_ms, tags, kind, payload)
        SELECT ids.id, state, lane, queue_id, priority, max_attempts, created_at, run_at,
            at_most_once, timeout_ms, CASE ids.id % 2 WHEN 0 THEN tags END,
            CASE ids.id % 2 WHEN 0 THEN 'even' ELSE kind END, payload
        FROM ids, jobs WHERE jobs.id = 1;
        INSERT INTO job_tags SELECT 'striped', id FROM jobs WHERE id > 1 AND tags IS NOT NULL;
        UPDATE queue_counts SET jobs = jobs + 80000 WHERE state = 1";
    store.backend().run_sql(more);
    store
}

#[test]
fn pages_are_short_if_two_filters_have_few_jobs_in_common() {
    let mut store = striped_store();
    let filter = JobFilter { tag: Some("striped".into()), kind: Some("odd".into()), ..all() };
    let (found, pages) = read_pages(&mut store, &filter);
    assert_eq!(found, [1]);
    assert!(pages > 1, "each page has a work budget");
}

#[test]
fn recent_failures_are_ordered_by_their_end_and_not_by_their_submission() {
    let mut store = Store::fresh();
    let old = store.running(NewJob { max_attempts: 1, ..job() });
    let new = store.running(NewJob { max_attempts: 1, ..job() });
    for lease in [new, old] {
        store.advance(1);
        store.finish(lease, failed()).unwrap();
    }
    store.job_in(State::Completed);
    let failed: Vec<JobId> =
        store.reads.recent_failures(10).unwrap().iter().map(|job| job.id).collect();
    assert_eq!(failed, [old.job, new.job]);
    assert_eq!(store.reads.recent_failures(1).unwrap().len(), 1);
}
