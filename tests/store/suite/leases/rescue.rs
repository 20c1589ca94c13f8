//! Rescues: jobs whose worker is gone are queued again.

use std::time::Duration;

use longshore::job::lease::Lease;
use longshore::job::outcome::Outcome;
use longshore::job::{Lane, NewJob, State};
use longshore::store::{MoveSummary, Refusal, RescueScope, Write};

use super::Store;
use crate::kit::{LEASE, job, lease, leased};

fn rescue(store: &mut Store, scope: RescueScope, limit: u32) -> MoveSummary {
    store.move_jobs(Write::Rescue { scope, limit })
}

fn running_in(store: &mut Store, lane: Lane) -> Lease {
    store.submit(NewJob { lane, ..job() });
    leased(store.write(lease("default", lane, 1))).remove(0).lease
}

#[test]
fn a_job_is_queued_when_its_lease_expires_and_not_before() {
    let mut store = Store::fresh();
    let held = store.running(job());
    let expires_at = store.now.plus(LEASE.duration());
    store.advance(59);
    let moved = rescue(&mut store, RescueScope::expired_now(), 10);
    assert_eq!((moved.count, moved.next_at), (0, Some(expires_at)));
    store.advance(1);
    let moved = rescue(&mut store, RescueScope::expired_now(), 10);
    assert_eq!((moved.count, moved.next_at), (1, None));
    let job = store.job(held.job);
    assert_eq!((job.state, job.attempt), (State::Queued, 1));
    assert_eq!(job.failures.unwrap()[0].error.code, "lost");
    let next = store.lease_next();
    assert_eq!((next.attempt, next.lease.token.0), (2, 2));
}

#[test]
fn leases_of_every_lane_expire() {
    let mut store = Store::fresh();
    for lane in Lane::ALL {
        running_in(&mut store, lane);
    }
    store.advance(60);
    assert_eq!(rescue(&mut store, RescueScope::expired_now(), 10).count, 4);
}

#[test]
fn after_a_crash_the_jobs_of_local_lanes_are_queued_at_once() {
    let mut store = Store::fresh();
    let held = Lane::ALL.map(|lane| running_in(&mut store, lane));
    store.reopen();
    let moved = rescue(&mut store, RescueScope::Dead, 10);
    assert_eq!(moved.count, 3);
    // The end of the remote lease, which is limited by the timeout of its job.
    assert_eq!(moved.next_at, Some(store.now.plus(job().timeout.duration().min(LEASE.duration()))));
    let states = held.map(|lease| store.state(lease.job));
    assert_eq!(states, [State::Queued, State::Queued, State::Queued, State::Running]);
}

#[test]
fn no_more_jobs_are_rescued_at_once_than_the_limit() {
    for scope in [RescueScope::expired_now(), RescueScope::Dead] {
        let mut store = Store::fresh();
        store.submit_all(vec![job(); 5]);
        store.lease(5);
        store.advance(60);
        let counts = [2, 2, 2].map(|limit| rescue(&mut store, scope, limit).count);
        assert_eq!(counts, [2, 2, 1]);
    }
}

#[test]
fn jobs_whose_lease_expired_first_are_rescued_first() {
    let mut store = Store::fresh();
    let first = store.running(job());
    store.advance(1);
    let second = store.running(job());
    store.advance(60);
    rescue(&mut store, RescueScope::expired_now(), 1);
    assert_eq!(store.state(first.job), State::Queued);
    assert_eq!(store.state(second.job), State::Running);
}

#[test]
fn a_job_that_crashes_its_worker_each_time_ends_as_failed() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { max_attempts: 3, ..job() });
    for _ in 0..3 {
        assert_eq!(store.lease_next().lease.job, id);
        store.reopen();
        rescue(&mut store, RescueScope::Dead, 10);
    }
    let job = store.job(id);
    assert_eq!((job.state, job.attempt), (State::Failed, 3));
    assert_eq!(job.error.unwrap().code, "lost");
    assert_eq!(job.failures.unwrap().len(), 3);
}

#[test]
fn an_at_most_once_job_is_not_run_again_after_a_crash() {
    let mut store = Store::fresh();
    let held = store.running(NewJob { at_most_once: true, ..job() });
    store.reopen();
    assert_eq!(rescue(&mut store, RescueScope::Dead, 10).count, 1);
    let job = store.job(held.job);
    assert_eq!(job.state, State::Failed);
    assert_eq!(job.error.unwrap().code, "outcome_unknown");
}

#[test]
fn a_job_that_was_asked_to_stop_is_cancelled_when_it_is_rescued() {
    let mut store = Store::fresh();
    let held = store.running(job());
    store.cancel(Write::Cancel(held.job));
    store.reopen();
    rescue(&mut store, RescueScope::Dead, 10);
    assert_eq!(store.state(held.job), State::Cancelled);
    assert_eq!(store.job(held.job).failures.unwrap()[0].error.code, "lost");
    // The rescue ended the attempt, so a finish of its worker is not a repetition.
    assert_eq!(store.finish(held, Outcome::Released), Err(Refusal::StaleLease));
}

#[test]
fn a_rescue_that_is_committed_late_leaves_leases_that_held_when_it_was_decided() {
    let mut store = Store::fresh();
    let held = store.running(job());
    let by = store.now;
    store.advance(600);
    assert_eq!(rescue(&mut store, RescueScope::Expired { by }, 10).count, 0);
    assert_eq!(store.state(held.job), State::Running);
}

#[test]
fn a_clock_that_was_set_back_before_a_start_delays_no_rescue_and_no_retry() {
    let mut store = Store::fresh();
    let held = running_in(&mut store, Lane::Remote);
    let failing = store.running(job());
    store.finish(failing, Outcome::retryable("failed", "once more")).unwrap();
    let span = store.job(held.job).lease_expires_at.unwrap().since(store.now);
    let pause = store.job(failing.job).run_at.since(store.now);
    let scheduled = store.submit(NewJob { run_at: store.now.plus(LEASE.duration()), ..job() });
    let scheduled_at = store.job(scheduled).run_at;
    store.reopen();
    store.now = store.now.minus(Duration::from_secs(24 * 3600));
    rescue(&mut store, RescueScope::Dead, 10);
    let (job, leased) = (store.job(failing.job), store.job(held.job));
    assert_eq!((job.state, job.run_at), (State::Retrying, store.now.plus(pause)));
    assert_eq!((leased.state, leased.started_at), (State::Running, Some(store.now)));
    assert_eq!(leased.lease_expires_at, Some(store.now.plus(span)));
    // Its run_at is wall-clock time.
    assert_eq!(store.job(scheduled).run_at, scheduled_at);
}

#[test]
fn a_clock_that_was_not_set_back_before_a_start_moves_no_lease_and_no_retry() {
    let mut store = Store::fresh();
    let held = running_in(&mut store, Lane::Remote);
    let failing = store.running(job());
    store.finish(failing, Outcome::retryable("failed", "once more")).unwrap();
    let before = (store.job(held.job), store.job(failing.job));
    store.reopen();
    rescue(&mut store, RescueScope::Dead, 10);
    assert_eq!((store.job(held.job), store.job(failing.job)), before);
}
