//! Deferrals: attempts that do not count, because the job could not run at that time.

use longshore::job::lease::Lease;
use longshore::job::outcome::Deferred;
use longshore::job::{JobId, NewJob, State};
use longshore::store::{Finished, Refusal, Write};

use super::Store;
use crate::kit::{
    chat, completed, deferred, finish, job, lease_answer, lease_lines, untried, with_providers,
};

use crate::kit::backend::Backend;

fn store() -> Store {
    Store::configured(with_providers(&[("fast", None, None), ("other", None, None)]))
}

fn lease_next(store: &mut Store) -> Lease {
    let leased = lease_answer(store.write(lease_lines("default", 1, &["fast"])));
    leased.jobs.first().expect("a job to lease").lease
}

/// Submits a job and leases it.
fn running(store: &mut Store, job: NewJob) -> Lease {
    store.submit(job);
    lease_next(store)
}

/// Leases the only job, and defers it without a provider's pause. Returns its state.
fn defer_again(store: &mut Store, id: JobId) -> State {
    if store.state(id) == State::Retrying {
        store.now = store.now.max(store.job(id).run_at);
        store.move_jobs(Write::Stage { limit: 10 });
    }
    let lease = store.lease_next().lease;
    match store.finish(lease, deferred(1, false)) {
        Ok(Finished::Accepted(state)) => state,
        other => panic!("not accepted: {other:?}"),
    }
}

/// Sets how often a job was deferred.
fn set_count(store: &Store, id: JobId, count: u32) {
    let sql = format!("UPDATE job_extras SET deferred = {count} WHERE job_id = {id}");
    store.backend().run_sql(&sql);
}

#[test]
fn a_job_that_its_provider_refuses_is_queued_and_its_attempt_does_not_count() {
    let mut store = store();
    let lease = running(&mut store, chat("fast"));
    let finished = store.finish(lease, deferred(5, true));
    assert_eq!(finished, Ok(Finished::Accepted(State::Queued)));
    let job = store.job(lease.job);
    assert_eq!((job.attempt, job.state), (0, State::Queued));
    assert_eq!(job.error.unwrap().code, "http_status");
    assert_eq!((job.failures.unwrap().len(), job.attempts.unwrap().len()), (0, 0));
    store.advance(5);
    let lease = lease_next(&mut store);
    store.finish(lease, completed("1")).unwrap();
    let job = store.job(lease.job);
    assert_eq!((job.attempt, job.state, job.error), (1, State::Completed, None));
}

#[test]
fn a_job_that_is_deferred_alone_waits_for_its_pause() {
    let mut store = store();
    let lease = running(&mut store, job());
    let finished = store.finish(lease, deferred(5, false));
    assert_eq!(finished, Ok(Finished::Accepted(State::Retrying)));
    let job = store.job(lease.job);
    assert_eq!((job.attempt, job.run_at), (0, store.after(5)));
    assert_eq!(store.reads.providers().unwrap()[0].1.pause, None);
}

#[test]
fn a_job_without_a_provider_cannot_wait_for_one_and_waits_for_its_pause() {
    let mut store = store();
    let lease = running(&mut store, job());
    let finished = store.finish(lease, deferred(5, true));
    assert_eq!(finished, Ok(Finished::Accepted(State::Retrying)));
    assert!(store.reads.providers().unwrap().iter().all(|(_, state)| state.pause.is_none()));
}

#[test]
fn a_deferral_ends_a_job_that_must_stop_and_no_job_that_must_run_once() {
    for is_of_provider in [true, false] {
        let mut store = store();
        let lease = running(&mut store, chat("fast"));
        store.write(Write::Cancel(lease.job)).unwrap();
        let finished = store.finish(lease, deferred(5, is_of_provider));
        assert_eq!(finished, Ok(Finished::Accepted(State::Cancelled)));
        store.advance(5);
        let lease = running(&mut store, NewJob { at_most_once: true, ..chat("fast") });
        store.finish(lease, deferred(5, is_of_provider)).unwrap();
        assert!(!store.state(lease.job).is_final());
    }
}

#[test]
fn a_job_is_deferred_1000_times_and_then_its_attempts_count() {
    let mut store = store();
    let id = store.submit(NewJob { max_attempts: 2, ..job() });
    assert_eq!(defer_again(&mut store, id), State::Retrying);
    set_count(&store, id, Deferred::MAX_COUNT - 1);
    assert_eq!(defer_again(&mut store, id), State::Retrying);
    assert_eq!((store.job(id).attempt, store.job(id).failures.unwrap().len()), (0, 0));
    assert_eq!(defer_again(&mut store, id), State::Retrying);
    let job = store.job(id);
    let failures = job.failures.unwrap();
    assert_eq!((job.attempt, failures[0].error.code.as_str()), (1, "http_status"));
    assert_eq!(defer_again(&mut store, id), State::Failed);
}

#[test]
fn a_job_is_deferred_for_an_hour_from_the_start_of_the_first_attempt_that_does_not_count() {
    let mut store = store();
    let id = store.submit(NewJob { max_attempts: 1, ..job() });
    let first = store.lease_next().lease;
    let started_at = store.now;
    store.advance(100);
    store.finish(first, deferred(1, false)).unwrap();
    store.now = started_at.plus(Deferred::MAX_TIME.duration());
    store.now = longshore::job::Timestamp::from_millis(store.now.millis() - 1);
    assert_eq!(defer_again(&mut store, id), State::Retrying);
    store.now = store.now.max(started_at.plus(Deferred::MAX_TIME.duration()));
    assert_eq!(defer_again(&mut store, id), State::Failed);
}

#[test]
fn a_failed_attempt_does_not_grant_further_deferrals_and_a_manual_retry_does() {
    let mut store = store();
    let id = store.submit(NewJob { max_attempts: 2, ..job() });
    defer_again(&mut store, id);
    set_count(&store, id, Deferred::MAX_COUNT);
    assert_eq!(defer_again(&mut store, id), State::Retrying);
    assert_eq!(defer_again(&mut store, id), State::Failed);
    assert_eq!(store.job(id).attempt, 2);
    store.write(Write::Retry(id)).unwrap();
    for _ in 0..3 {
        assert_eq!(defer_again(&mut store, id), State::Retrying);
    }
    assert_eq!(store.job(id).attempt, 2);
}

#[test]
fn a_provider_also_pauses_if_the_refused_attempt_counts() {
    let mut store = store();
    let lease = running(&mut store, chat("fast"));
    store.finish(lease, deferred(1, true)).unwrap();
    set_count(&store, lease.job, Deferred::MAX_COUNT);
    store.advance(1);
    let lease = lease_next(&mut store);
    let committed = store.commit(&[finish(lease, deferred(40, true))]);
    assert_eq!(store.state(lease.job), State::Retrying);
    let pause = committed.providers[0].pause.clone().unwrap();
    assert_eq!((pause.until, pause.refused), (store.after(40), 2));
}

#[test]
fn a_repeated_deferral_is_recognized_and_counted_once() {
    for (new, is_of_provider) in [(chat("fast"), true), (chat("fast"), false), (job(), true)] {
        let mut store = store();
        let lease = running(&mut store, new);
        let once = finish(lease, deferred(1, is_of_provider));
        let committed = store.commit(&[once.clone(), once.clone()]);
        assert_eq!(format!("{:?}", committed.answers[1]), "Ok(Finished(Repeated))");
        let before = store.reads.providers().unwrap();
        let repeated = store.commit(&[once]);
        assert_eq!(format!("{:?}", repeated.answers[0]), "Ok(Finished(Repeated))");
        assert_eq!((repeated.changes.len(), repeated.providers.len()), (0, 0));
        assert_eq!(store.reads.providers().unwrap(), before);
        assert_times_deferred(&mut store, lease.job, 1);
        assert_eq!(store.finish(lease, completed("1")), Err(Refusal::StaleLease));
    }
}

/// Checks how often a job was deferred, by how many more deferrals do not count.
fn assert_times_deferred(store: &mut Store, id: JobId, count: u32) {
    let sql = format!(
        "UPDATE job_extras SET deferred = deferred + {} WHERE job_id = {id}",
        Deferred::MAX_COUNT - count - 1
    );
    store.backend().run_sql(&sql);
    store.advance(1);
    store.move_jobs(Write::Stage { limit: 10 });
    for expected in [0, 1] {
        let lease = lease_next(store);
        store.finish(lease, deferred(0, false)).unwrap();
        assert_eq!(store.job(id).failures.unwrap().len(), expected);
        store.advance(1);
        store.move_jobs(Write::Stage { limit: 10 });
    }
}

#[test]
fn a_job_that_was_not_even_tried_waits_and_is_sound() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, untried(5)).unwrap();
    let waiting = store.job(lease.job);
    assert_eq!((waiting.state, waiting.attempt), (State::Retrying, 0));
    assert_eq!(store.faults(), [""; 0]);
}
