//! The order in which the jobs of a batch end.

use longshore::job::lease::Lease;
use longshore::job::outcome::Outcome;
use longshore::job::{BatchId, JobId, NewJob, State};
use longshore::store::{BatchUpdate, EndQuery, NewBatch, RescueScope, Submit, Write};

use super::Store;
use crate::kit::{completed, failed, finish, job};

/// Creates a store with a batch of running jobs, and returns their leases by rising id.
fn running(number: usize) -> (Store, Vec<Lease>) {
    let mut store = Store::fresh();
    let jobs: Vec<NewJob> = vec![job(); number];
    let batch = Some(NewBatch::default());
    store.write(Write::Submit(Submit { jobs: jobs.into(), key: None, batch })).unwrap();
    let leases = store.lease(number as u32).into_iter().map(|job| job.lease).collect();
    (store, leases)
}

fn update(store: &mut Store, after: i64) -> BatchUpdate {
    let query = EndQuery { batch: BatchId(1), after, limit: 100, max_bytes: 1_000 };
    store.reads.batch_update(&query).unwrap().unwrap()
}

/// Returns the ids of the jobs that have ended, each with the number of its end.
fn ends(store: &mut Store, after: i64) -> Vec<(i64, i64)> {
    update(store, after).ended.iter().map(|(seq, result)| (*seq, result.id.0)).collect()
}

#[test]
fn jobs_are_numbered_in_the_order_in_which_they_end_in_whatever_way() {
    let (mut store, leases) = running(4);
    assert_eq!((ends(&mut store, 0), update(&mut store, 0).last), (vec![], 0));
    store.commit(&[finish(leases[2], completed("1")), finish(leases[0], completed("2"))]);
    store.finish(leases[1], failed()).unwrap();
    assert_eq!(ends(&mut store, 0), [(1, 3), (2, 1)]);
    store.write(Write::Cancel(JobId(2))).unwrap();
    store.advance(3_600);
    store.write(Write::Rescue { scope: RescueScope::Dead, limit: 10 }).unwrap();
    store.write(Write::CancelBatch(BatchId(1))).unwrap();
    assert_eq!(ends(&mut store, 0), [(1, 3), (2, 1), (3, 2), (4, 4)]);
    let later = update(&mut store, 2);
    assert_eq!((later.last, later.has_more, later.batch.counts.cancelled), (4, false, 2));
    assert_eq!(later.ended[0].1.state, State::Cancelled);
    assert_eq!(ends(&mut store, 4), []);
}

#[test]
fn a_part_of_the_ends_is_bounded_by_number_and_by_size() {
    let (mut store, leases) = running(5);
    let large = format!("\"{}\"", "x".repeat(700));
    for lease in leases {
        store.finish(lease, completed(&large)).unwrap();
    }
    let part = update(&mut store, 0);
    assert_eq!((part.ended.len(), part.last, part.has_more), (2, 2, true));
    let query = EndQuery { batch: BatchId(1), after: 2, limit: 1, max_bytes: 10_000 };
    let part = store.reads.batch_update(&query).unwrap().unwrap();
    assert_eq!((part.ended.len(), part.last, part.has_more), (1, 3, true));
    let query = EndQuery { batch: BatchId(2), ..query };
    assert_eq!(store.reads.batch_update(&query).unwrap(), None);
}

#[test]
fn a_job_that_is_retried_ends_again_and_a_removed_one_is_left_out() {
    let (mut store, leases) = running(2);
    store.finish(leases[0], Outcome::fatal("broken", "it broke")).unwrap();
    store.finish(leases[1], completed("1")).unwrap();
    store.write(Write::Retry(JobId(1))).unwrap();
    // It runs again, so its first end is not shown.
    assert_eq!(ends(&mut store, 0), [(2, 2)]);
    let lease = store.lease_next().lease;
    store.finish(lease, completed("2")).unwrap();
    assert_eq!(ends(&mut store, 2), [(3, 1)]);
    store.remove(Write::Delete(JobId(2)));
    let rest = update(&mut store, 1);
    assert_eq!((rest.ended.len(), rest.last), (1, 3));
    store.remove(Write::Delete(JobId(1)));
    assert_eq!(store.reads.batch(BatchId(1)).unwrap(), None);
}

#[test]
fn the_ends_of_a_very_large_batch_are_removed_in_pieces() {
    let (mut store, leases) = running(1);
    store.finish(leases[0], completed("1")).unwrap();
    store.corrupt(
        "WITH RECURSIVE more (seq) AS (VALUES (2) UNION ALL SELECT seq + 1 FROM more WHERE seq < 10500)
         INSERT INTO batch_ends SELECT 1, seq, 1 FROM more",
    );
    store.remove(Write::Delete(JobId(1)));
    assert!(store.reads.batch(BatchId(1)).unwrap().is_some());
    store.advance(1);
    let prune = Write::PruneBatches { batches: vec![BatchId(1)], finished_before: store.now };
    assert_eq!(store.remove(prune), 1);
    assert_eq!(store.reads.batch(BatchId(1)).unwrap(), None);
}
