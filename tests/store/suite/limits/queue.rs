//! Limits of queues: `max_running`, rate and pause hold in one group and after a restart.

use longshore::job::limit::Held;
use longshore::job::queue::{QueueChange, Rate};
use longshore::job::{JobId, Lane, NewJob, Span, Timestamp};
use longshore::store::{Leased, RescueScope, Write};

use super::Store;
use crate::kit::{
    completed, finish, ids, impossible_job, job, lease, lease_answer, leased, queue, submit,
};

const RATE: Rate = Rate { limit: 3, period: Span::from_secs(12) };

/// Returns a change that sets all limits of the default queue.
fn limits(max_running: Option<u32>, rate: Option<Rate>, paused: bool) -> Write {
    let change =
        QueueChange { paused: Some(paused), max_running: Some(max_running), rate: Some(rate) };
    Write::Configure { queue: queue("default"), change }
}

/// Returns a store with ten jobs in the default queue, which has these limits.
fn limited(max_running: Option<u32>, rate: Option<Rate>) -> Store {
    let mut store = Store::fresh();
    store.write(limits(max_running, rate, false)).unwrap();
    store.submit_all(vec![job(); 10]);
    store
}

fn take(limit: u32) -> Write {
    lease("default", Lane::Async, limit)
}

fn lease_one_order(store: &mut Store, limit: u32) -> Leased {
    lease_answer(store.write(take(limit)))
}

/// Commits a group and returns the number of jobs and the limit that held for each lease in it.
fn grants(store: &mut Store, group: &[Write]) -> Vec<(usize, Option<Held>)> {
    let answers = store.commit(group).answers.into_iter();
    let is_lease = |write: &&Write| matches!(write, Write::Lease(_));
    answers
        .zip(group)
        .filter(|(_, write)| is_lease(write))
        .map(|(answer, _)| lease_answer(answer))
        .map(|leased| (leased.jobs.len(), leased.held))
        .collect()
}

/// Returns the time at which the rate allows the next start.
fn rate_until(held: Option<Held>) -> Timestamp {
    match held {
        Some(Held::Rate(at)) => at,
        other => panic!("not held by the rate: {other:?}"),
    }
}

#[test]
fn max_running_holds_over_all_orders_of_a_group_and_the_answer_says_so() {
    let mut store = limited(Some(3), None);
    let full = Some(Held::Full);
    assert_eq!(grants(&mut store, &[take(2), take(2), take(2)]), [(2, None), (1, full), (0, full)]);
    let answer = lease_one_order(&mut store, 5);
    assert_eq!((answer.jobs.len(), answer.held, answer.is_empty), (0, full, false));
}

#[test]
fn a_finish_frees_room_for_the_leases_after_it_in_its_group() {
    let mut store = limited(Some(3), None);
    let running = lease_one_order(&mut store, 10).jobs;
    let end = |index: usize| finish(running[index].lease, completed("1"));
    let group = [take(5), end(0), end(1), take(5), take(5)];
    let full = Some(Held::Full);
    assert_eq!(grants(&mut store, &group), [(0, full), (2, full), (0, full)]);
    // A repeated finish frees nothing.
    assert_eq!(grants(&mut store, &[end(0), take(5)]), [(0, full)]);
}

#[test]
fn max_running_counts_the_jobs_of_all_lanes_and_of_before_a_restart() {
    let mut store = limited(Some(3), None);
    store.submit_all(vec![NewJob { lane: Lane::Remote, ..job() }; 5]);
    let remote = lease("default", Lane::Remote, 2);
    assert_eq!(grants(&mut store, &[remote.clone(), take(5)]), [(2, None), (1, Some(Held::Full))]);
    store.reopen();
    assert_eq!(grants(&mut store, &[remote, take(5)]), [(0, Some(Held::Full)); 2]);
}

#[test]
fn a_limit_below_the_number_of_running_jobs_lets_none_start_until_enough_have_ended() {
    let mut store = Store::fresh();
    store.submit_all(vec![job(); 10]);
    let running = store.lease(4);
    let ends = |count| running.iter().take(count).map(|job| finish(job.lease, completed("1")));
    let full = Some(Held::Full);
    assert_eq!(grants(&mut store, &[limits(Some(2), None, false), take(5)]), [(0, full)]);
    let group: Vec<_> = ends(2).chain([take(5)]).collect();
    assert_eq!(grants(&mut store, &group), [(0, full)]);
    let group: Vec<_> = ends(3).chain([take(5)]).collect();
    assert_eq!(grants(&mut store, &group), [(1, full)]);
    assert_eq!(grants(&mut store, &[limits(None, None, false), take(5)]), [(5, None)]);
}

#[test]
fn a_rate_holds_over_groups_and_after_a_restart() {
    let mut store = limited(None, Some(RATE));
    let first = grants(&mut store, &[take(2), take(2)]);
    assert_eq!((first[0], first[1].0), ((2, None), 1));
    let until = rate_until(first[1].1);
    // At the end of the period that began with the start, and at most a step of it later.
    assert!((12_000..12_100).contains(&until.since(store.now).as_millis()), "{until:?}");
    for secs in [0, 6, 5] {
        store.advance(secs);
        store.reopen();
        assert_eq!(lease_one_order(&mut store, 5).held, Some(Held::Rate(until)), "{secs}");
    }
    store.now = until;
    store.reopen();
    let next = lease_one_order(&mut store, 5);
    assert_eq!(next.jobs.len(), 3);
    assert!(rate_until(next.held) > until);
}

#[test]
fn a_rate_counts_starts_and_not_running_jobs() {
    let mut store = limited(Some(5), Some(RATE));
    let running = lease_one_order(&mut store, 5).jobs;
    assert_eq!(running.len(), 3);
    let ends: Vec<_> = running.iter().map(|job| finish(job.lease, completed("1"))).collect();
    store.commit(&ends);
    assert!(matches!(lease_one_order(&mut store, 5).held, Some(Held::Rate(_))));
}

#[test]
fn a_paused_queue_leases_nothing_before_and_after_a_restart() {
    let mut store = limited(None, None);
    store.write(limits(Some(3), Some(RATE), true)).unwrap();
    for _ in 0..2 {
        let answer = lease_one_order(&mut store, 5);
        let expected = (0, Some(Held::Paused), false);
        assert_eq!((answer.jobs.len(), answer.held, answer.is_empty), expected);
        store.reopen();
    }
    let group = [limits(None, None, false), take(2), limits(None, None, true), take(2)];
    assert_eq!(grants(&mut store, &group), [(2, None), (0, Some(Held::Paused))]);
}

/// A write that breaks a constraint makes the group run again, each write after a savepoint of its own.
#[test]
fn leases_of_a_group_that_runs_again_are_counted_once() {
    let mut store = limited(Some(4), Some(RATE));
    let group = [take(2), submit(vec![impossible_job()]), take(5)];
    let granted = grants(&mut store, &group);
    assert_eq!((granted[0], granted[1].0), ((2, None), 1));
    let until = rate_until(granted[1].1);
    store.now = until;
    // One place is left of `max_running`, and all starts of the rate.
    assert_eq!(grants(&mut store, &[take(5)]), [(1, Some(Held::Full))]);
}

#[test]
fn a_lease_that_skips_an_impossible_job_counts_only_the_jobs_that_start() {
    let mut store = limited(None, Some(Rate { limit: 2, ..RATE }));
    store.corrupt("UPDATE jobs SET max_attempts = 0 WHERE id = 1");
    let mut started = ids(&lease_one_order(&mut store, 2).jobs);
    started.extend(ids(&lease_one_order(&mut store, 2).jobs));
    assert_eq!(started, [JobId(2), JobId(3)]);
    rate_until(lease_one_order(&mut store, 2).held);
}

#[test]
fn a_rate_that_is_set_later_counts_the_starts_from_then_on() {
    let mut store = limited(None, None);
    assert_eq!(leased(store.write(take(4))).len(), 4);
    let granted = grants(&mut store, &[limits(None, Some(RATE), false), take(5)]);
    assert_eq!(granted[0].0, 3);
}

#[test]
fn starts_of_a_clock_that_was_set_back_block_a_queue_for_one_period_at_most() {
    let mut store = limited(None, Some(RATE));
    assert_eq!(lease_one_order(&mut store, 5).jobs.len(), 3);
    store.now = Timestamp::from_millis(store.now.millis() - 900_000);
    store.reopen();
    store.move_jobs(Write::Rescue { scope: RescueScope::Dead, limit: 10 });
    let until = rate_until(lease_one_order(&mut store, 5).held);
    assert!((11_900..12_100).contains(&until.since(store.now).as_millis()), "{until:?}");
    store.now = until;
    assert_eq!(lease_one_order(&mut store, 5).jobs.len(), 3);
}
