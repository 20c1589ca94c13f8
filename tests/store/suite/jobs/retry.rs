//! Manual retries of jobs that have ended or wait for their next attempt.

use longshore::job::outcome::Outcome;
use longshore::job::{JobId, NewJob, Progress, State};
use longshore::store::{Refusal, Write};

use super::Store;
use crate::kit::{completed, failed, job};

#[test]
fn a_job_that_ended_or_waits_for_its_next_attempt_is_queued_at_once() {
    for state in [State::Retrying, State::Completed, State::Failed, State::Cancelled] {
        let mut store = Store::fresh();
        let id = store.job_in(state);
        store.advance(5);
        store.write(Write::Retry(id)).unwrap();
        let job = store.job(id);
        assert_eq!((job.state, job.run_at), (State::Queued, store.now));
        assert_eq!((job.finished_at, job.error, job.result), (None, None, Some(None)));
        assert_eq!(store.lease_next().attempt, 2);
    }
}

#[test]
fn a_job_that_waits_or_runs_is_not_retried() {
    for state in [State::Scheduled, State::Queued, State::Running] {
        let mut store = Store::fresh();
        let id = store.job_in(state);
        let before = store.job(id);
        let refused = store.write(Write::Retry(id)).unwrap_err();
        let Refusal::Conflict { job, state: found, .. } = refused else { panic!("{refused:?}") };
        assert_eq!((job, found), (id, state));
        assert_eq!(store.job(id), before);
    }
}

#[test]
fn a_job_that_does_not_exist_is_not_retried() {
    let mut store = Store::fresh();
    let refused = store.write(Write::Retry(JobId(7))).unwrap_err();
    assert_eq!(refused, Refusal::NoJob(JobId(7)));
}

#[test]
fn a_retry_of_a_job_with_one_attempt_grants_one_more() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { max_attempts: 1, ..job() });
    store.finish(lease, failed()).unwrap();
    store.write(Write::Retry(lease.job)).unwrap();
    assert_eq!(store.job(lease.job).max_attempts, 2);
    assert_eq!(store.job(lease.job).attempts_granted, Some(1));
    let second = store.lease_next();
    assert_eq!(second.attempt, 2);
    store.finish(second.lease, failed()).unwrap();
    assert_eq!(store.state(lease.job), State::Failed);
}

#[test]
fn each_retry_grants_as_many_attempts_as_the_submission() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Failed);
    assert_eq!((store.job(id).attempt, store.job(id).max_attempts), (1, 3));
    store.write(Write::Retry(id)).unwrap();
    assert_eq!((store.job(id).max_attempts, store.job(id).attempts_granted), (4, Some(3)));
    for attempt in 2..=4 {
        let job = store.lease_next();
        assert_eq!(job.attempt, attempt);
        store.finish(job.lease, failed()).unwrap();
        store.advance(60);
        store.write(Write::Stage { limit: 1 }).unwrap();
    }
    assert_eq!(store.state(id), State::Failed);
    store.write(Write::Retry(id)).unwrap();
    assert_eq!((store.job(id).max_attempts, store.job(id).attempts_granted), (7, Some(3)));
}

#[test]
fn a_retry_before_the_next_attempt_grants_no_further_attempts() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Retrying);
    store.write(Write::Retry(id)).unwrap();
    assert_eq!((store.job(id).max_attempts, store.job(id).attempts_granted), (3, None));
}

#[test]
fn a_retry_of_a_completed_job_keeps_its_attempt() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Completed);
    let before = store.job(id).attempts.unwrap();
    assert_eq!((before.len(), before[0].state), (1, State::Completed));
    store.write(Write::Retry(id)).unwrap();
    assert_eq!(store.job(id).attempts.unwrap(), before);
    store.lease_next();
    let attempts = store.job(id).attempts.unwrap();
    assert_eq!((attempts.len(), attempts[1].state), (2, State::Running));
}

#[test]
fn an_at_most_once_job_that_has_run_is_not_retried() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { at_most_once: true, ..job() });
    store.finish(lease, failed()).unwrap();
    let refused = store.write(Write::Retry(lease.job)).unwrap_err();
    assert!(matches!(refused, Refusal::Conflict { state: State::Failed, .. }), "{refused:?}");
    assert_eq!(store.state(lease.job), State::Failed);
}

#[test]
fn an_at_most_once_job_that_never_started_is_retried() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { at_most_once: true, ..job() });
    store.cancel(Write::Cancel(id));
    store.write(Write::Retry(id)).unwrap();
    assert_eq!(store.lease_next().attempt, 1);
}

#[test]
fn a_retried_job_does_not_expire_again() {
    let mut store = Store::fresh();
    let expires_at = Some(store.after(10));
    let id = store.submit(NewJob { expires_at, ..job() });
    store.advance(20);
    assert_eq!(store.move_jobs(Write::Expire { limit: 10 }).count, 1);
    store.write(Write::Retry(id)).unwrap();
    assert_eq!(store.job(id).expires_at, None);
    assert_eq!(store.lease_next().lease.job, id);
}

#[test]
fn a_retry_starts_without_progress_and_keeps_the_failures() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.write(Write::Report(lease, Progress { percent: 90.0, message: None })).unwrap();
    store.finish(lease, Outcome::fatal("broken", "it broke")).unwrap();
    store.write(Write::Retry(lease.job)).unwrap();
    let second = store.lease_next().lease;
    let job = store.job(lease.job);
    assert_eq!(job.progress, None);
    assert_eq!(job.failures.unwrap().len(), 1);
    store.finish(second, completed("2")).unwrap();
    assert_eq!(store.job(lease.job).result_json().unwrap().as_str(), "2");
}

#[test]
fn a_retried_job_is_not_finished_by_its_former_worker() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, completed("1")).unwrap();
    store.write(Write::Retry(lease.job)).unwrap();
    assert_eq!(store.finish(lease, completed("2")), Err(Refusal::StaleLease));
    assert_eq!(store.state(lease.job), State::Queued);
}
