//! Pruning: old final jobs, and no others, are found and removed.

use longshore::job::{JobId, State, Timestamp};
use longshore::store::Write;

use super::Store;
use crate::kit::{completed, job};

/// Returns all jobs that may be removed, in the way in which the Keeper finds them.
fn prunable(store: &mut Store, finished_before: Timestamp) -> Vec<JobId> {
    let mut found = Vec::new();
    let mut after = Some(JobId(0));
    while let Some(from) = after {
        let step = store.reads.prunable(from, finished_before).unwrap();
        found.extend(step.jobs);
        after = step.next;
    }
    found
}

fn prune(store: &mut Store, jobs: Vec<JobId>, finished_before: Timestamp) -> usize {
    store.remove(Write::Prune { jobs, finished_before })
}

#[test]
fn only_old_final_jobs_are_pruned() {
    let mut store = Store::fresh();
    let old = State::ALL.map(|state| store.job_in(state));
    store.advance(10);
    let recent = store.job_in(State::Completed);
    let now = store.now;
    let final_ones: Vec<JobId> = old[State::Completed as usize..].to_vec();
    assert_eq!(prunable(&mut store, now), final_ones);
    let all: Vec<JobId> = old.into_iter().chain([recent]).collect();
    assert_eq!(prune(&mut store, all.clone(), now), 3);
    for id in all {
        assert_eq!(store.exists(id), !final_ones.contains(&id));
    }
}

#[test]
fn a_job_that_was_retried_meanwhile_is_not_pruned() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Failed);
    store.advance(10);
    let now = store.now;
    let found = prunable(&mut store, now);
    store.write(Write::Retry(id)).unwrap();
    assert_eq!(prune(&mut store, found, now), 0);
    assert_eq!(store.state(id), State::Queued);
}

#[test]
fn candidates_that_are_removed_or_listed_twice_count_once() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Completed);
    store.advance(10);
    let now = store.now;
    assert_eq!(prune(&mut store, vec![id, id, JobId(99)], now), 1);
}

#[test]
fn old_jobs_are_found_in_a_long_table_with_gaps() {
    let mut store = Store::fresh();
    store.submit_all(vec![job(); 9_000]);
    let leased = store.lease(9_000);
    let finishes: Vec<Write> =
        leased.iter().map(|job| crate::kit::finish(job.lease, completed("1"))).collect();
    store.commit(&finishes);
    store.advance(10);
    let now = store.now;
    let middle: Vec<JobId> = (1_000..8_000).map(JobId).collect();
    assert_eq!(prune(&mut store, middle, now), 7_000);
    let remaining = prunable(&mut store, now);
    assert_eq!(remaining.len(), 2_000);
    assert_eq!(prune(&mut store, remaining, now), 2_000);
    assert_eq!(prunable(&mut store, now), []);
}
