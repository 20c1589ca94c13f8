//! Expiry: jobs that have not started in time are cancelled.

use longshore::job::outcome::Outcome;
use longshore::job::{JobId, NewJob, State};
use longshore::store::Write;

use super::Store;
use crate::kit::{completed, job, job_in_queue};

const ALL: Write = Write::Expire { limit: 100 };

fn expiring(store: &Store, secs: u64) -> NewJob {
    NewJob { expires_at: Some(store.after(secs)), ..job() }
}

#[test]
fn a_waiting_job_is_cancelled_when_it_expires_and_not_before() {
    let mut store = Store::fresh();
    let queued = store.submit(expiring(&store, 60));
    let run_at = store.after(50);
    let scheduled = store.submit(NewJob { run_at, is_scheduled: true, ..expiring(&store, 60) });
    let expires_at = store.after(60);
    store.advance(59);
    let moved = store.move_jobs(ALL);
    assert_eq!((moved.count, moved.next_at), (0, Some(expires_at)));
    store.advance(1);
    let moved = store.move_jobs(ALL);
    assert_eq!((moved.count, moved.next_at), (2, None));
    for id in [queued, scheduled] {
        let job = store.job(id);
        assert_eq!((job.state, job.finished_at), (State::Cancelled, Some(store.now)));
        assert_eq!(job.error.unwrap().code, "expired");
    }
}

#[test]
fn a_job_that_has_started_does_not_expire() {
    let mut store = Store::fresh();
    let running = store.running(expiring(&store, 10));
    let released = store.running(expiring(&store, 10));
    store.finish(released, Outcome::Released).unwrap();
    store.advance(20);
    let moved = store.move_jobs(ALL);
    assert_eq!((moved.count, moved.next_at), (0, None));
    assert_eq!(store.lease_next().lease.job, released.job);
    store.finish(running, completed("1")).unwrap();
}

#[test]
fn a_lease_never_starts_an_expired_job() {
    let mut store = Store::fresh();
    let expired = store.submit(expiring(&store, 10));
    let lasting = store.submit(expiring(&store, 60));
    store.advance(10);
    assert_eq!(store.lease_next().lease.job, lasting);
    assert_eq!(store.state(expired), State::Cancelled);
}

#[test]
fn a_lease_never_starts_an_expired_job_however_many_there_are() {
    let mut store = Store::fresh();
    let expiring = expiring(&store, 10);
    store.submit_all(vec![expiring; 2_100]);
    let lasting = store.submit(job());
    store.advance(10);
    let leased = store.lease(10);
    assert_eq!(crate::kit::ids(&leased), [lasting]);
}

#[test]
fn no_more_jobs_expire_at_once_than_the_limit() {
    let mut store = Store::fresh();
    let run_at = store.after(1);
    let scheduled = NewJob { run_at, is_scheduled: true, ..expiring(&store, 10) };
    store.submit_all(vec![expiring(&store, 10), expiring(&store, 9), scheduled]);
    store.advance(20);
    assert_eq!(store.move_jobs(Write::Expire { limit: 2 }).count, 2);
    assert_eq!(store.move_jobs(Write::Expire { limit: 2 }).count, 1);
}

#[test]
fn jobs_of_every_queue_expire() {
    let mut store = Store::fresh();
    let expires_at = Some(store.after(1));
    store.submit(NewJob { expires_at, ..job_in_queue("mail") });
    store.submit(NewJob { expires_at, ..job_in_queue("reports") });
    store.advance(2);
    let committed = store.commit(&[ALL]);
    let mut expired: Vec<JobId> = committed.changes.iter().map(|change| change.job).collect();
    expired.sort_unstable();
    assert_eq!(expired, [JobId(1), JobId(2)]);
}
