//! Leases: the right jobs, in the right order, each to one worker only.

use longshore::job::{BatchId, JobId, Json, Lane, NewJob, Span, State};
use longshore::store::{Answer, NewBatch, Submit, Write};

use super::Store;
use crate::kit::{
    LEASE, failed, ids, job, job_in_queue, lease, lease_within, leased, queue, submit,
};

fn with_priority(priority: i8) -> NewJob {
    NewJob { priority, ..job() }
}

#[test]
fn higher_priority_runs_first_and_then_the_oldest() {
    let mut store = Store::fresh();
    let priorities = [0, -100, 5, 0, 100, 5];
    store.submit_all(priorities.map(with_priority).to_vec());
    let order: Vec<i64> = ids(&store.lease(10)).iter().map(|id| id.0).collect();
    assert_eq!(order, [5, 3, 6, 1, 4, 2]);
}

#[test]
fn a_lease_returns_the_first_jobs_of_its_queue_up_to_the_limit() {
    let mut store = Store::fresh();
    store.submit_all(vec![with_priority(0), with_priority(1), with_priority(2)]);
    assert!(store.lease(0).is_empty());
    assert_eq!(ids(&store.lease(2)), [JobId(3), JobId(2)]);
    assert_eq!(ids(&store.lease(2)), [JobId(1)]);
    assert!(store.lease(2).is_empty());
}

#[test]
fn a_lease_takes_from_its_queue_and_lane_only() {
    let mut store = Store::fresh();
    let remote = NewJob { lane: Lane::Remote, ..job() };
    store.submit_all(vec![job_in_queue("mail"), remote, job()]);
    assert_eq!(ids(&store.lease(10)), [JobId(3)]);
    let remote = leased(store.write(lease("default", Lane::Remote, 10)));
    assert_eq!(ids(&remote), [JobId(2)]);
    assert_eq!(remote[0].lane, Lane::Remote);
    let mail = leased(store.write(lease("mail", Lane::Async, 10)));
    assert_eq!(ids(&mail), [JobId(1)]);
    assert_eq!(mail[0].queue, queue("mail"));
}

#[test]
fn a_lease_from_an_unknown_queue_returns_no_jobs_and_creates_no_queue() {
    let mut store = Store::fresh();
    assert!(leased(store.write(lease("mail", Lane::Async, 10))).is_empty());
    assert_eq!(store.reads.queue(&queue("mail"), store.now).unwrap(), None);
}

#[test]
fn only_queued_jobs_are_leased() {
    let mut store = Store::fresh();
    let states = State::ALL.map(|state| store.job_in(state));
    assert_eq!(ids(&store.lease(100)), [states[State::Queued as usize]]);
}

#[test]
fn a_lease_returns_everything_that_a_worker_needs() {
    let mut store = Store::fresh();
    let new = NewJob {
        kind: "http".parse().unwrap(),
        timeout: Span::from_secs(7),
        max_attempts: 4,
        payload: Json::trusted(r#"{"a": 1}"#),
        ..job()
    };
    let batch = Some(NewBatch::default());
    let jobs = vec![new].into();
    store.write(Write::Submit(Submit { jobs, key: None, batch })).unwrap();
    store.advance(3);
    let job = store.lease_next();
    assert_eq!((job.lease.job, job.lease.token.0), (JobId(1), 1));
    assert_eq!(job.lease_expires_at, store.now.plus(LEASE.duration()));
    assert_eq!((job.attempt, job.max_attempts), (1, 4));
    assert_eq!((job.kind.as_str(), job.payload.as_str()), ("http", r#"{"a": 1}"#));
    assert_eq!(job.timeout, Span::from_secs(7));
    assert_eq!((job.queue, job.batch), (queue("default"), Some(BatchId(1))));
}

#[test]
fn a_leased_job_runs_its_first_attempt() {
    let mut store = Store::fresh();
    let id = store.running(job()).job;
    let job = store.job(id);
    assert_eq!((job.state, job.attempt), (State::Running, 1));
    assert_eq!(job.started_at, Some(store.now));
}

#[test]
fn a_job_may_be_leased_in_the_group_that_submits_it() {
    let mut store = Store::fresh();
    let group = [submit(vec![job()]), lease("default", Lane::Async, 1)];
    let answer = store.commit(&group).answers.remove(1);
    assert_eq!(ids(&leased(answer)), [JobId(1)]);
}

#[test]
fn two_leases_of_one_group_never_share_a_job() {
    let mut store = Store::fresh();
    store.submit_all(vec![job(); 3]);
    let order = lease("default", Lane::Async, 2);
    let committed = store.commit(&[order.clone(), order]);
    let [first, second] = committed.answers.try_into().unwrap();
    assert_eq!(ids(&leased(first)), [JobId(1), JobId(2)]);
    assert_eq!(ids(&leased(second)), [JobId(3)]);
}

#[test]
fn tokens_rise_with_every_lease_of_a_job() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { max_attempts: 5, ..job() });
    let mut tokens = Vec::new();
    for _ in 0..5 {
        let job = store.lease_next();
        tokens.push(job.lease.token.0);
        store.finish(job.lease, failed()).unwrap();
        if tokens.len() < 5 {
            store.write(Write::Retry(id)).unwrap();
        }
    }
    assert_eq!(tokens, [1, 2, 3, 4, 5]);
}

/// Returns a job with a payload of this many bytes.
fn with_payload(bytes: usize) -> NewJob {
    NewJob { payload: Json::trusted(format!("\"{}\"", "x".repeat(bytes - 2))), ..job() }
}

/// Leases in the lane `async`, with room for large payloads of this many bytes. Returns the ids, and whether
/// the next job waits because its payload is large.
fn lease_large(store: &mut Store, room: usize) -> (Vec<i64>, bool) {
    let answer = store.write(lease_within("default", Lane::Async, 10, room));
    let Ok(Answer::Leased(leased)) = answer else { panic!("{answer:?}") };
    (ids(&leased.jobs).iter().map(|id| id.0).collect(), leased.is_large_next)
}

#[test]
fn a_lease_ends_with_the_job_whose_large_payload_fills_the_room() {
    let mut store = Store::fresh();
    store.submit_all([40 << 10, 50 << 10, 60 << 10, 70 << 10].map(with_payload).to_vec());
    assert_eq!(lease_large(&mut store, 0), (vec![], true));
    assert_eq!(lease_large(&mut store, 91 << 10), (vec![1, 2, 3], true));
    assert_eq!(lease_large(&mut store, 1), (vec![4], false));
    assert_eq!(lease_large(&mut store, 1), (vec![], false));
}

#[test]
fn small_payloads_start_without_room_and_a_large_one_holds_back_those_behind_it() {
    let mut store = Store::fresh();
    store.submit_all([10, 32 << 10, 33 << 10, 20].map(with_payload).to_vec());
    assert_eq!(lease_large(&mut store, 0), (vec![1, 2], true));
    store.submit_all(vec![with_priority(1)]);
    assert_eq!(lease_large(&mut store, 0), (vec![5], true));
    assert_eq!(lease_large(&mut store, 1), (vec![3, 4], false));
}

#[test]
fn a_transaction_leases_8_mib_of_payloads_to_local_workers_however_many_orders_it_has() {
    let mut store = Store::fresh();
    store.submit_all(vec![with_payload(3 << 20); 8]);
    let orders = [lease("default", Lane::Async, 2), lease("default", Lane::Async, 5)];
    for expected in [3, 3, 2, 0] {
        let answers = store.commit(&orders).answers;
        assert_eq!(answers.into_iter().map(|answer| leased(answer).len()).sum::<usize>(), expected);
    }
}

#[test]
fn a_large_payload_that_was_submitted_before_a_restart_counts_too() {
    let mut store = Store::fresh();
    store.submit_all(vec![with_payload(5 << 20); 3]);
    store.reopen();
    assert_eq!(store.lease(10).len(), 2);
    assert_eq!(store.lease(10).len(), 1);
}
