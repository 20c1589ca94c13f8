//! Cancellations: waiting jobs end at once, workers stop running jobs, and ended jobs are refused.

use longshore::job::outcome::Outcome;
use longshore::job::{BatchId, JobError, JobId, NewJob, State};
use longshore::store::{Finished, NewBatch, Refusal, Submit, Write};

use super::Store;
use crate::kit::{completed, failed, job};

#[test]
fn a_waiting_job_is_cancelled_at_once() {
    for state in [State::Scheduled, State::Queued, State::Retrying] {
        let mut store = Store::fresh();
        let id = store.job_in(state);
        store.advance(1);
        assert_eq!(store.cancel(Write::Cancel(id)), (1, vec![]));
        let job = store.job(id);
        assert_eq!((job.state, job.finished_at), (State::Cancelled, Some(store.now)));
        assert_eq!(job.error.unwrap().code, "cancelled");
        assert!(store.lease(10).is_empty());
    }
}

#[test]
fn a_running_job_is_asked_to_stop_and_keeps_running() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Running);
    for _ in 0..2 {
        assert_eq!(store.cancel(Write::Cancel(id)), (0, vec![id]));
        let job = store.job(id);
        assert_eq!((job.state, job.cancel_requested), (State::Running, true));
    }
}

#[test]
fn every_outcome_ends_a_job_that_was_asked_to_stop() {
    let lost = Outcome::Lost(JobError::new("lost", "its worker is gone"));
    let ends = [
        (completed("1"), State::Completed),
        (failed(), State::Cancelled),
        (Outcome::fatal("broken", "it broke"), State::Cancelled),
        (Outcome::Released, State::Cancelled),
        (Outcome::Cancelled(None), State::Cancelled),
        (lost, State::Cancelled),
    ];
    for (outcome, state) in ends {
        let mut store = Store::fresh();
        let lease = store.running(job());
        store.cancel(Write::Cancel(lease.job));
        let finished = store.finish(lease, outcome.clone());
        assert_eq!(finished, Ok(Finished::Accepted(state)), "{outcome:?}");
        let job = store.job(lease.job);
        assert_eq!((job.state, job.cancel_requested), (state, false));
        assert_eq!(job.finished_at, Some(store.now));
    }
}

#[test]
fn the_error_of_the_attempt_stays_in_the_failures_of_a_cancelled_job() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.cancel(Write::Cancel(lease.job));
    store.finish(lease, failed()).unwrap();
    let job = store.job(lease.job);
    assert_eq!(job.error.unwrap().code, "cancelled");
    assert_eq!(job.failures.unwrap()[0].error.code, "timeout");
}

#[test]
fn an_at_most_once_job_that_was_asked_to_stop_and_is_lost_has_an_unknown_outcome() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { at_most_once: true, ..job() });
    store.cancel(Write::Cancel(lease.job));
    store.finish(lease, Outcome::Lost(JobError::new("lost", "gone"))).unwrap();
    assert_eq!(store.state(lease.job), State::Failed);
}

#[test]
fn a_cancelled_job_may_be_cancelled_again() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Cancelled);
    assert_eq!(store.cancel(Write::Cancel(id)), (0, vec![]));
}

#[test]
fn a_completed_or_failed_job_cannot_be_cancelled() {
    for state in [State::Completed, State::Failed] {
        let mut store = Store::fresh();
        let id = store.job_in(state);
        let refused = store.write(Write::Cancel(id)).unwrap_err();
        let Refusal::Conflict { job, state: found, .. } = refused else { panic!("{refused:?}") };
        assert_eq!((job, found), (id, state));
        assert_eq!(store.state(id), state);
    }
}

#[test]
fn a_job_or_batch_that_does_not_exist_cannot_be_cancelled() {
    let mut store = Store::fresh();
    let refused = store.write(Write::Cancel(JobId(7))).unwrap_err();
    assert_eq!(refused, Refusal::NoJob(JobId(7)));
    let refused = store.write(Write::CancelBatch(BatchId(7))).unwrap_err();
    assert_eq!(refused, Refusal::NoBatch(BatchId(7)));
}

#[test]
fn cancelling_a_batch_ends_waiting_jobs_and_asks_running_jobs_to_stop() {
    let mut store = Store::fresh();
    let run_at = store.after(60);
    let scheduled = NewJob { run_at, is_scheduled: true, ..job() };
    let batch = Some(NewBatch::default());
    let jobs = vec![job(), job(), job(), job(), scheduled].into();
    store.write(Write::Submit(Submit { jobs, key: None, batch })).unwrap();
    let outside = store.submit(job());
    let leased = store.lease(3);
    store.finish(leased[0].lease, completed("1")).unwrap();
    store.finish(leased[1].lease, failed()).unwrap();
    let cancelled = store.cancel(Write::CancelBatch(BatchId(1)));
    assert_eq!(cancelled, (3, vec![leased[2].lease.job]));
    let states = [1, 2, 3, 4, 5].map(|id| store.state(JobId(id)));
    let ended = State::Cancelled;
    assert_eq!(states, [State::Completed, ended, State::Running, ended, ended]);
    assert!(store.job(leased[2].lease.job).cancel_requested);
    assert_eq!(store.state(outside), State::Queued);
    let batch = store.reads.batch(BatchId(1)).unwrap().unwrap();
    assert_eq!((batch.counts.cancelled, batch.counts.running), (3, 1));
}
