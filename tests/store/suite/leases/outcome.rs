//! Outcomes: the next state of the job, and what is stored of the attempt.

use longshore::job::outcome::{JobResult, OUTCOME_UNKNOWN, Outcome};
use longshore::job::retry::Pause;
use longshore::job::{Job, JobError, Json, NewJob, Span, State};
use longshore::store::{Finished, Write};

use super::Store;
use crate::kit::{completed, failed, job};

/// Returns the attempt numbers and error codes of a job's failures.
fn failures_of(job: &Job) -> Vec<(u32, &str)> {
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
fn a_completed_job_keeps_its_result_byte_for_byte() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.advance(2);
    let finished = store.finish(lease, completed(r#"{"b": 1.50,  "a": null}"#));
    assert_eq!(finished, Ok(Finished::Accepted(State::Completed)));
    let job = store.job(lease.job);
    assert_eq!(job.result_json().unwrap().as_str(), r#"{"b": 1.50,  "a": null}"#);
    assert!(!job.result_truncated);
    assert_eq!((job.finished_at, job.error.clone()), (Some(store.now), None));
    assert_eq!(failures_of(&job), []);
}

#[test]
fn a_truncated_result_fails_its_job_unless_the_job_allows_it() {
    let mut store = Store::fresh();
    let outcome = Outcome::Completed(JobResult::truncated(Json::trusted("\"beg\"")).capped(100));
    let lease = store.running(NewJob { truncate_result: true, ..job() });
    store.finish(lease, outcome.clone()).unwrap();
    let allowed = store.job(lease.job);
    assert!(allowed.result_truncated);
    assert_eq!(allowed.state, State::Completed);
    let lease = store.running(job());
    let finished = store.finish(lease, outcome.clone());
    assert_eq!(finished, Ok(Finished::Accepted(State::Failed)));
    let refused = store.job(lease.job);
    assert_eq!((refused.attempt, code(&refused)), (1, "result_too_large"));
    assert_eq!(refused.result_json(), None);
    let attempts = refused.attempts.unwrap();
    assert_eq!(attempts[0].detail.result.as_deref(), Some("\"beg\""));
    assert_eq!(store.finish(lease, outcome), Ok(Finished::Repeated));
}

#[test]
fn a_job_waits_for_its_next_attempt_after_a_failed_one() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, failed()).unwrap();
    let job = store.job(lease.job);
    assert_eq!((job.state, job.attempt), (State::Retrying, 1));
    assert_eq!((job.run_at, job.finished_at), (store.after(1), None));
    assert_eq!((code(&job), failures_of(&job)), ("timeout", vec![(1, "timeout")]));
}

#[test]
fn the_change_to_retrying_has_the_due_time() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let outcome = Outcome::Failed {
        error: JobError::new("http_status", "429"),
        retryable: true,
        retry_in: Some(Pause::Exactly(Span::from_secs(30))),
        detail: None,
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
        store.advance(600);
        store.move_jobs(Write::Stage { limit: 10 });
    }
    let job = store.job(id);
    assert_eq!((job.state, job.attempt), (State::Failed, 3));
    assert_eq!(failures_of(&job), [(1, "timeout"), (2, "timeout"), (3, "timeout")]);
}

#[test]
fn a_failure_that_is_not_retryable_ends_the_job_at_once() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Failed);
    let job = store.job(id);
    assert_eq!((job.attempt, code(&job)), (1, "broken"));
    assert_eq!(job.finished_at, Some(store.now));
}

#[test]
fn a_release_takes_back_the_attempt_but_not_the_token() {
    let mut store = Store::fresh();
    let first = store.running(job());
    let finished = store.finish(first, Outcome::Released);
    assert_eq!(finished, Ok(Finished::Accepted(State::Queued)));
    let job = store.job(first.job);
    assert_eq!((job.attempt, job.error.clone()), (0, None));
    assert_eq!(failures_of(&job), []);
    let next = store.lease_next();
    assert_eq!((next.attempt, next.lease.token.0), (1, 2));
}

#[test]
fn a_job_may_be_released_more_often_than_it_may_be_attempted() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { max_attempts: 1, ..job() });
    for _ in 0..5 {
        let lease = store.lease_next().lease;
        store.finish(lease, Outcome::Released).unwrap();
    }
    assert_eq!(store.state(id), State::Queued);
}

#[test]
fn a_lost_attempt_counts_and_the_job_is_queued_at_once() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, lost()).unwrap();
    let job = store.job(lease.job);
    assert_eq!((job.state, job.attempt), (State::Queued, 1));
    assert_eq!((code(&job), failures_of(&job)), ("lost", vec![(1, "lost")]));
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
fn an_interrupted_at_most_once_job_ends_with_an_unknown_outcome() {
    for outcome in [lost(), Outcome::Released] {
        let mut store = Store::fresh();
        let lease = store.running(NewJob { at_most_once: true, ..job() });
        store.finish(lease, outcome).unwrap();
        let job = store.job(lease.job);
        assert_eq!((job.state, code(&job)), (State::Failed, OUTCOME_UNKNOWN));
        assert_eq!(failures_of(&job), [(1, OUTCOME_UNKNOWN)]);
    }
}

#[test]
fn an_at_most_once_job_is_not_retried_after_a_failure() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { at_most_once: true, ..job() });
    store.finish(lease, failed()).unwrap();
    assert_eq!(store.state(lease.job), State::Failed);
}

#[test]
fn the_failures_of_a_job_are_shown_in_every_later_state() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, failed()).unwrap();
    store.write(Write::Retry(lease.job)).unwrap();
    assert_eq!(failures_of(&store.job(lease.job)), [(1, "timeout")]);
    let second = store.lease_next().lease;
    assert_eq!(failures_of(&store.job(lease.job)), [(1, "timeout")]);
    store.finish(second, Outcome::Released).unwrap();
    assert_eq!(failures_of(&store.job(lease.job)), [(1, "timeout")]);
    let third = store.lease_next().lease;
    store.finish(third, completed("1")).unwrap();
    assert_eq!(failures_of(&store.job(lease.job)), [(1, "timeout")]);
}
