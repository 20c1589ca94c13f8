//! Updates of jobs that wait.

use longshore::job::submission::{JobChange, Start};
use longshore::job::{JobId, NewJob, State};
use longshore::store::{Refusal, Write};

use super::Store;
use crate::kit::{failed, job, queue};

fn update(store: &mut Store, id: JobId, change: JobChange) {
    store.write(Write::Update(id, change)).unwrap();
}

fn start(start: Start) -> JobChange {
    JobChange { start: Some(start), ..JobChange::default() }
}

#[test]
fn a_job_that_waits_starts_now_or_later() {
    let mut store = Store::fresh();
    let later = Start::At(store.after(60));
    for (from, waits_in) in [
        (State::Scheduled, State::Scheduled),
        (State::Queued, State::Scheduled),
        (State::Retrying, State::Retrying),
    ] {
        let id = store.job_in(from);
        update(&mut store, id, start(later));
        assert_eq!((store.state(id), store.job(id).run_at), (waits_in, store.after(60)));
        update(&mut store, id, start(Start::Now));
        assert_eq!((store.state(id), store.job(id).run_at), (State::Queued, store.now));
    }
}

#[test]
fn a_released_job_can_be_scheduled_again() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, longshore::job::outcome::Outcome::Released).unwrap();
    let later = store.after(60);
    update(&mut store, lease.job, start(Start::At(later)));
    assert_eq!(store.state(lease.job), State::Scheduled);
    store.advance(60);
    store.write(Write::Stage { limit: 1 }).unwrap();
    assert_eq!(store.lease_next().lease.job, lease.job);
}

#[test]
fn a_job_moves_to_another_queue_with_its_counts() {
    let mut store = Store::fresh();
    let id = store.submit(job());
    let mail = JobChange { queue: Some(queue("mail")), ..JobChange::default() };
    update(&mut store, id, mail);
    assert_eq!(store.job(id).queue, queue("mail"));
    let now = store.now;
    let mut find = |name| store.reads.queue(&queue(name), now).unwrap().unwrap();
    let (from, to) = (find("default"), find("mail"));
    assert_eq!((from.jobs.queued, to.jobs.queued), (0, 1));
    // The job was submitted once, to the first queue.
    assert_eq!((from.totals.submitted, to.totals.submitted), (1, 0));
}

#[test]
fn a_higher_priority_is_leased_first() {
    let mut store = Store::fresh();
    store.submit(job());
    let id = store.submit(job());
    update(&mut store, id, JobChange { priority: Some(5), ..JobChange::default() });
    assert_eq!(store.lease_next().lease.job, id);
}

#[test]
fn an_expiry_is_set_and_removed() {
    let mut store = Store::fresh();
    let id = store.submit(job());
    let expires_at = Some(store.after(5));
    let change = JobChange { expires_at: Some(expires_at), ..JobChange::default() };
    update(&mut store, id, change);
    assert_eq!(store.job(id).expires_at, expires_at);
    update(&mut store, id, JobChange { expires_at: Some(None), ..JobChange::default() });
    store.advance(10);
    store.write(Write::Expire { limit: 10 }).unwrap();
    assert_eq!(store.state(id), State::Queued);
}

#[test]
fn a_job_that_runs_or_has_ended_is_not_changed() {
    let mut store = Store::fresh();
    for state in [State::Running, State::Completed, State::Failed, State::Cancelled] {
        let id = store.job_in(state);
        let before = store.job(id);
        let refused = store.write(Write::Update(id, start(Start::Now))).unwrap_err();
        assert!(matches!(refused, Refusal::Conflict { .. }), "{refused:?}");
        assert_eq!(store.job(id), before);
    }
    let refused = store.write(Write::Update(JobId(99), start(Start::Now))).unwrap_err();
    assert_eq!(refused, Refusal::NoJob(JobId(99)));
}

#[test]
fn a_job_that_waits_for_its_last_attempt_keeps_its_attempts() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { max_attempts: 2, ..job() });
    store.finish(lease, failed()).unwrap();
    update(&mut store, lease.job, start(Start::Now));
    let second = store.lease_next();
    assert_eq!((second.attempt, second.max_attempts), (2, 2));
}
