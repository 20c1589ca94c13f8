//! Batches: counts over all jobs, and one end.

use longshore::job::batch::Batch;
use longshore::job::outcome::Outcome;
use longshore::job::queue::StateCounts;
use longshore::job::{BatchId, JobId, NewJob, State};
use longshore::store::{BatchPage, Committed, NewBatch, Refusal, RescueScope, Submit, Write};

use super::Store;
use crate::kit::{completed, failed, finish, impossible_job, job, submitted};

fn submit_batch(jobs: Vec<NewJob>) -> Write {
    let batch = Some(NewBatch { name: Some("nightly".into()), on_end: None, open_for: None });
    Write::Submit(Submit { jobs: jobs.into(), key: None, batch })
}

fn batch(store: &mut Store, id: i64) -> Batch {
    store.reads.batch(BatchId(id)).unwrap().unwrap()
}

/// Creates a store with a batch of two running jobs, and returns their leases.
fn running_pair() -> (Store, [longshore::job::lease::Lease; 2]) {
    let mut store = Store::fresh();
    store.write(submit_batch(vec![job(), job()])).unwrap();
    let leased = store.lease(2);
    (store, [leased[0].lease, leased[1].lease])
}

#[test]
fn a_batch_counts_its_jobs_from_the_start() {
    let mut store = Store::fresh();
    let run_at = store.after(5);
    let scheduled = NewJob { run_at, is_scheduled: true, ..job() };
    let answer = submitted(store.write(submit_batch(vec![job(), scheduled, job()])));
    let created = answer.batch.unwrap();
    assert_eq!((created.id, created.total), (BatchId(1), 3));
    assert_eq!(created.name.as_deref(), Some("nightly"));
    assert_eq!(created.counts, StateCounts { queued: 2, scheduled: 1, ..Default::default() });
    assert_eq!((created.created_at, created.finished_at), (store.now, None));
    assert_eq!(batch(&mut store, 1), *created);
    assert_eq!(store.job(JobId(2)).batch, Some(BatchId(1)));
    assert_eq!(store.reads.batch(BatchId(2)).unwrap(), None);
}

#[test]
fn counts_follow_the_jobs() {
    let (mut store, [first, second]) = running_pair();
    assert_eq!(batch(&mut store, 1).counts, StateCounts { running: 2, ..Default::default() });
    store.finish(first, failed()).unwrap();
    store.finish(second, Outcome::Released).unwrap();
    let expected = StateCounts { retrying: 1, queued: 1, ..Default::default() };
    assert_eq!(batch(&mut store, 1).counts, expected);
    store.advance(1);
    store.move_jobs(Write::Stage { limit: 10 });
    assert_eq!(batch(&mut store, 1).counts, StateCounts { queued: 2, ..Default::default() });
}

#[test]
fn a_batch_ends_with_its_last_job() {
    let (mut store, [first, second]) = running_pair();
    let committed = store.commit(&[finish(first, completed("1"))]);
    assert_eq!(committed.ended_batches, []);
    assert_eq!(batch(&mut store, 1).finished_at, None);
    store.advance(7);
    let committed = store.commit(&[finish(second, Outcome::fatal("broken", "it broke"))]);
    assert_eq!(committed.ended_batches, [BatchId(1)]);
    let ended = batch(&mut store, 1);
    assert_eq!(ended.counts, StateCounts { completed: 1, failed: 1, ..Default::default() });
    assert_eq!(ended.finished_at, Some(store.now));
}

#[test]
fn a_batch_whose_jobs_end_in_one_group_ends_once() {
    let (mut store, leases) = running_pair();
    let committed = store.commit(&leases.map(|lease| finish(lease, completed("1"))));
    assert_eq!(committed.ended_batches, [BatchId(1)]);
}

#[test]
fn a_batch_may_start_and_end_in_one_group() {
    let mut store = Store::fresh();
    let committed = store.commit(&[submit_batch(vec![job()]), Write::CancelBatch(BatchId(1))]);
    assert_eq!(committed.ended_batches, [BatchId(1)]);
    assert_eq!(batch(&mut store, 1).counts.cancelled, 1);
}

#[test]
fn a_retry_opens_a_batch_again_and_its_end_is_reported_again() {
    let (mut store, leases) = running_pair();
    store.commit(&leases.map(|lease| finish(lease, completed("1"))));
    let committed = store.commit(&[Write::Retry(JobId(1))]);
    assert_eq!(committed.ended_batches, []);
    let open = batch(&mut store, 1);
    assert_eq!((open.finished_at, open.counts.queued, open.counts.completed), (None, 1, 1));
    store.advance(5);
    let lease = store.lease_next().lease;
    let committed = store.commit(&[finish(lease, completed("2"))]);
    assert_eq!(committed.ended_batches, [BatchId(1)]);
    assert_eq!(batch(&mut store, 1).finished_at, Some(store.now));
}

#[test]
fn the_end_of_a_batch_does_not_move_when_a_job_is_retried_and_cancelled_at_once() {
    let (mut store, leases) = running_pair();
    store.commit(&leases.map(|lease| finish(lease, completed("1"))));
    store.advance(5);
    let group: [Write; 2] = [Write::Retry(JobId(1)), Write::Cancel(JobId(1))];
    let Committed { ended_batches, .. } = store.commit(&group);
    assert_eq!(ended_batches, []);
    let ended = batch(&mut store, 1);
    assert_eq!((ended.counts.completed, ended.counts.cancelled), (1, 1));
    assert!(ended.finished_at.is_some());
}

#[test]
fn expiry_and_rescue_update_the_counts_of_a_batch() {
    let mut store = Store::fresh();
    let expires_at = Some(store.after(1));
    let last_attempt = NewJob { max_attempts: 1, priority: 1, ..job() };
    store.write(submit_batch(vec![NewJob { expires_at, ..job() }, last_attempt])).unwrap();
    store.lease_next();
    store.advance(60);
    let rescue = Write::Rescue { scope: RescueScope::expired_now(), limit: 10 };
    let committed = store.commit(&[Write::Expire { limit: 10 }, rescue]);
    assert_eq!(committed.ended_batches, [BatchId(1)]);
    let expected = StateCounts { cancelled: 1, failed: 1, ..Default::default() };
    assert_eq!(batch(&mut store, 1).counts, expected);
}

#[test]
fn a_removed_job_remains_counted_until_its_batch_is_removed_with_the_last_job() {
    let (mut store, leases) = running_pair();
    store.commit(&leases.map(|lease| finish(lease, completed("1"))));
    store.remove(Write::Delete(JobId(1)));
    let remaining = batch(&mut store, 1);
    assert_eq!((remaining.total, remaining.counts.completed), (2, 2));
    store.remove(Write::Delete(JobId(2)));
    assert_eq!(store.reads.batch(BatchId(1)).unwrap(), None);
}

#[test]
fn a_batch_is_removed_with_its_jobs_when_they_end_and_are_removed_in_one_group() {
    let (mut store, [first, second]) = running_pair();
    let removals = [1, 2].map(|id| Write::Delete(JobId(id)));
    let ends = [finish(first, completed("1")), finish(second, completed("2"))];
    let committed = store.commit(&[ends, removals].concat());
    assert!(committed.answers.iter().all(Result::is_ok), "{committed:?}");
    assert_eq!(store.reads.batch(BatchId(1)).unwrap(), None);
}

#[test]
fn a_job_may_be_retried_cancelled_and_removed_with_its_batch_in_one_group() {
    let mut store = Store::fresh();
    store.write(submit_batch(vec![job()])).unwrap();
    let lease = store.lease_next().lease;
    store.finish(lease, completed("1")).unwrap();
    let id = lease.job;
    let committed = store.commit(&[Write::Retry(id), Write::Cancel(id), Write::Delete(id)]);
    assert!(committed.answers.iter().all(Result::is_ok), "{committed:?}");
    assert_eq!(store.reads.batch(BatchId(1)).unwrap(), None);
}

#[test]
fn a_batch_with_an_invalid_job_is_refused_as_a_whole() {
    let mut store = Store::fresh();
    let refused = store.write(submit_batch(vec![job(), impossible_job()]));
    assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
    assert_eq!(store.reads.batch(BatchId(1)).unwrap(), None);
    store.write(submit_batch(vec![job()])).unwrap();
    assert_eq!(store.state(JobId(1)), State::Queued);
}

#[test]
fn batches_are_listed_newest_first_a_page_at_a_time() {
    let mut store = Store::fresh();
    let (mut before, mut seen) = (None, Vec::new());
    assert_eq!(store.reads.batches(10, None).unwrap(), BatchPage::default());
    for _ in 0..5 {
        store.write(submit_batch(vec![job()])).unwrap();
    }
    loop {
        let page = store.reads.batches(2, before).unwrap();
        seen.push(page.batches.iter().map(|batch| batch.id.0).collect::<Vec<_>>());
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, [vec![5, 4], vec![3, 2], vec![1]]);
    let last_page = store.reads.batches(4, Some(BatchId(5))).unwrap();
    assert_eq!(last_page.next, None, "a full last page has no next page");
    assert_eq!(last_page.batches[0], batch(&mut store, 4));
}
