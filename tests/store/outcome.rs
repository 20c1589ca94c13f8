//! Where each outcome leaves a job, and what is kept of it.

use longshore::job::outcome::{JobResult, OUTCOME_UNKNOWN, Outcome};
use longshore::job::{Job, JobError, Json, NewJob, Span, State};
use longshore::store::{Finished, Write};

use crate::kit::{Store, completed, failed, job};

/// The codes of a job's failed attempts, with their numbers.
fn history(job: &Job) -> Vec<(u32, &str)> {
    let failures = job.failures.as_ref().unwrap();
    failures.iter().map(|failure| (failure.attempt, failure.error.code.as_str())).collect()
}

fn code(job: &Job) -> &str {
    job.error.as_ref().map_or("", |error| &error.code)
}

fn lost() -> Outcome {
    Outcome::Lost(JobError::new("lost", "its worker is gone"))
}

#[test]
fn a_completed_job_keeps_its_result_letter_by_letter() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.pass(2);
    let finished = store.finish(lease, completed(r#"{"b": 1.50,  "a": null}"#));
    assert_eq!(finished, Ok(Finished::Accepted(State::Completed)));
    let job = store.job(lease.job);
    assert_eq!(job.given().unwrap().as_str(), r#"{"b": 1.50,  "a": null}"#);
    assert!(!job.result_truncated);
    assert_eq!((job.finished_at, job.error.clone()), (Some(store.now), None));
    assert_eq!(history(&job), []);
}

#[test]
fn a_result_that_was_cut_says_so() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let result = JobResult { json: Json::trusted("\"beg\""), truncated: true };
    store.finish(lease, Outcome::Completed(result)).unwrap();
    assert!(store.job(lease.job).result_truncated);
}

#[test]
fn a_failed_attempt_waits_for_the_next() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, failed()).unwrap();
    let job = store.job(lease.job);
    assert_eq!((job.state, job.attempt), (State::Retrying, 1));
    assert_eq!((job.run_at, job.finished_at), (store.after(1), None));
    assert_eq!((code(&job), history(&job)), ("timeout", vec![(1, "timeout")]));
}

#[test]
fn a_retrying_job_is_told_with_its_time() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let outcome = Outcome::Failed {
        error: JobError::new("http_status", "429"),
        retryable: true,
        retry_in: Some(Span::from_secs(30)),
    };
    let committed = store.commit(&[crate::kit::finish(lease, outcome)]);
    assert_eq!(committed.changes[0].to, Some(State::Retrying));
    assert_eq!(committed.changes[0].due_at, Some(store.after(30)));
    assert_eq!(store.job(lease.job).run_at, store.after(30));
}

#[test]
fn the_last_attempt_fails_the_job() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { max_attempts: 3, ..job() });
    for attempt in 1..=3 {
        let job = store.lease_next();
        assert_eq!(job.attempt, attempt);
        store.finish(job.lease, failed()).unwrap();
        store.pass(600);
        store.shift(Write::Stage { limit: 10 });
    }
    let job = store.job(id);
    assert_eq!((job.state, job.attempt), (State::Failed, 3));
    assert_eq!(history(&job), [(1, "timeout"), (2, "timeout"), (3, "timeout")]);
}

#[test]
fn a_failure_that_nothing_mends_ends_the_job_at_once() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Failed);
    let job = store.job(id);
    assert_eq!((job.attempt, code(&job)), (1, "broken"));
    assert_eq!(job.finished_at, Some(store.now));
}

#[test]
fn a_release_gives_the_attempt_back_but_not_the_token() {
    let mut store = Store::fresh();
    let first = store.running(job());
    let finished = store.finish(first, Outcome::Released);
    assert_eq!(finished, Ok(Finished::Accepted(State::Queued)));
    let job = store.job(first.job);
    assert_eq!((job.attempt, job.error.clone()), (0, None));
    assert_eq!(history(&job), []);
    let next = store.lease_next();
    assert_eq!((next.attempt, next.lease.token.0), (1, 2));
}

#[test]
fn a_job_may_be_released_more_often_than_it_may_be_tried() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { max_attempts: 1, ..job() });
    for _ in 0..5 {
        let lease = store.lease_next().lease;
        store.finish(lease, Outcome::Released).unwrap();
    }
    assert_eq!(store.state(id), State::Queued);
}

#[test]
fn a_lost_attempt_counts_and_the_job_runs_again_at_once() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, lost()).unwrap();
    let job = store.job(lease.job);
    assert_eq!((job.state, job.attempt), (State::Queued, 1));
    assert_eq!((code(&job), history(&job)), ("lost", vec![(1, "lost")]));
    assert_eq!(store.lease_next().attempt, 2);
}

#[test]
fn losing_the_last_attempt_fails_the_job() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { max_attempts: 1, ..job() });
    store.finish(lease, lost()).unwrap();
    let job = store.job(lease.job);
    assert_eq!((job.state, code(&job)), (State::Failed, "lost"));
}

#[test]
fn a_job_that_may_run_once_and_was_cut_short_ends_with_its_outcome_unknown() {
    for outcome in [lost(), Outcome::Released] {
        let mut store = Store::fresh();
        let lease = store.running(NewJob { at_most_once: true, ..job() });
        store.finish(lease, outcome).unwrap();
        let job = store.job(lease.job);
        assert_eq!((job.state, code(&job)), (State::Failed, OUTCOME_UNKNOWN));
        assert_eq!(history(&job), [(1, OUTCOME_UNKNOWN)]);
    }
}

#[test]
fn a_job_that_may_run_once_is_not_tried_again_after_a_failure() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { at_most_once: true, ..job() });
    store.finish(lease, failed()).unwrap();
    assert_eq!(store.state(lease.job), State::Failed);
}

#[test]
fn the_history_is_shown_whatever_became_of_the_job_since() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, failed()).unwrap();
    store.write(Write::Retry(lease.job)).unwrap();
    assert_eq!(history(&store.job(lease.job)), [(1, "timeout")]);
    let second = store.lease_next().lease;
    assert_eq!(history(&store.job(lease.job)), [(1, "timeout")]);
    store.finish(second, Outcome::Released).unwrap();
    assert_eq!(history(&store.job(lease.job)), [(1, "timeout")]);
    let third = store.lease_next().lease;
    store.finish(third, completed("1")).unwrap();
    assert_eq!(history(&store.job(lease.job)), [(1, "timeout")]);
}
