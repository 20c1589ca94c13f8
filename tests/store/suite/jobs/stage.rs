//! Staging: due scheduled and retrying jobs are queued.

use longshore::job::{JobId, NewJob, State};
use longshore::store::Write;

use super::Store;
use crate::kit::{failed, job};

const ALL: Write = Write::Stage { limit: 100 };

fn scheduled(store: &Store, secs: u64) -> NewJob {
    NewJob { run_at: store.after(secs), is_scheduled: true, ..job() }
}

#[test]
fn a_scheduled_job_is_queued_when_it_is_due_and_not_before() {
    let mut store = Store::fresh();
    let id = store.submit(scheduled(&store, 60));
    let due_at = store.after(60);
    store.advance(59);
    let moved = store.move_jobs(ALL);
    assert_eq!((moved.count, moved.next_at), (0, Some(due_at)));
    assert_eq!(store.state(id), State::Scheduled);
    store.advance(1);
    let moved = store.move_jobs(ALL);
    assert_eq!((moved.count, moved.next_at), (1, None));
    assert_eq!(store.job(id).run_at, due_at);
    assert_eq!(store.lease_next().lease.job, id);
}

#[test]
fn a_retrying_job_is_queued_when_its_next_attempt_is_due() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Retrying);
    assert_eq!(store.move_jobs(ALL).count, 0);
    store.advance(1);
    assert_eq!(store.move_jobs(ALL).count, 1);
    let job = store.lease_next();
    assert_eq!((job.lease.job, job.attempt, job.lease.token.0), (id, 2, 2));
}

#[test]
fn the_error_of_the_last_attempt_stays_while_the_next_waits() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Retrying);
    store.advance(1);
    store.move_jobs(ALL);
    assert_eq!(store.job(id).error.unwrap().code, "timeout");
}

#[test]
fn jobs_that_are_due_longest_are_queued_first() {
    let mut store = Store::fresh();
    let jobs = [30, 10, 20, 40].map(|secs| scheduled(&store, secs));
    store.submit_all(jobs.to_vec());
    let last_due_at = store.after(30);
    store.advance(35);
    let moved = store.move_jobs(Write::Stage { limit: 2 });
    assert_eq!((moved.count, moved.next_at), (2, Some(last_due_at)));
    let states = [1, 2, 3, 4].map(|id| store.state(JobId(id)));
    use State::{Queued, Scheduled};
    assert_eq!(states, [Scheduled, Queued, Queued, Scheduled]);
}

#[test]
fn the_limit_applies_to_scheduled_and_retrying_jobs_together() {
    let mut store = Store::fresh();
    for _ in 0..2 {
        store.submit(scheduled(&store, 1));
        let lease = store.running(job());
        store.finish(lease, failed()).unwrap();
    }
    store.advance(10);
    assert_eq!(store.move_jobs(Write::Stage { limit: 3 }).count, 3);
    assert_eq!(store.move_jobs(Write::Stage { limit: 3 }).count, 1);
    assert_eq!(store.move_jobs(Write::Stage { limit: 3 }).count, 0);
}

#[test]
fn each_staged_job_is_reported_as_a_change() {
    let mut store = Store::fresh();
    store.submit(scheduled(&store, 1));
    let retrying = store.job_in(State::Retrying);
    store.advance(10);
    let committed = store.commit(&[ALL]);
    let mut changes: Vec<_> = committed.changes.iter().map(|c| (c.job, c.from, c.to)).collect();
    changes.sort_unstable_by_key(|change| change.0);
    let queued = Some(State::Queued);
    let expected =
        [(JobId(1), Some(State::Scheduled), queued), (retrying, Some(State::Retrying), queued)];
    assert_eq!(changes, expected);
}
