//! Epochs: workers of the original database can do nothing in a copy.

use longshore::job::lease::{Lease, LeaseToken};
use longshore::job::outcome::Outcome;
use longshore::job::{JobError, JobId, Lane, NewJob, Progress, State};
use longshore::store::{Answer, NewBatch, Refusal, RescueScope, Submit, Write};

use super::Store;
use crate::kit::{self, LEASE, completed, failed, ids, job, lease, leased, submit};

fn begin_epoch(store: &mut Store, is_restored: bool) -> bool {
    let now = store.now;
    store.writes().begin_epoch(is_restored, now).unwrap().is_some()
}

fn rescue_dead(store: &mut Store, limit: u32) -> usize {
    store.move_jobs(Write::Rescue { scope: RescueScope::Dead, limit }).count
}

/// Makes a copy and opens it in the way in which a server starts.
fn serve_copy(original: &Store) -> Store {
    let mut copy = original.backed_up();
    assert!(begin_epoch(&mut copy, false), "the copy is marked as a copy");
    rescue_dead(&mut copy, 1_000);
    copy
}

fn running_in(store: &mut Store, lane: Lane) -> Lease {
    store.submit(NewJob { lane, ..job() });
    leased(store.write(lease("default", lane, 1))).remove(0).lease
}

fn outcomes() -> [Outcome; 7] {
    [
        completed("1"),
        failed(),
        Outcome::fatal("broken", "it broke"),
        Outcome::Released,
        Outcome::NotStarted,
        Outcome::Cancelled(None),
        Outcome::Lost(JobError::new("lost", "the server stopped while the job was running")),
    ]
}

/// Tries every call of a worker, and checks that none of them changes the job.
fn assert_refused(store: &mut Store, lease: Lease) {
    let before = store.job(lease.job);
    for outcome in outcomes() {
        let finished = store.finish_as_holder(lease, outcome.clone());
        assert_eq!(finished, Err(Refusal::StaleLease), "{outcome:?}");
    }
    let report = Write::Report(lease, Progress { percent: 50.0, message: None });
    assert!(matches!(store.write(report), Err(Refusal::StaleLease)));
    for renew in [kit::renew(&[lease], LEASE), kit::renew_remote(&[lease])] {
        match store.write(Write::Renew(renew)) {
            Ok(Answer::Renewed(renewed)) => assert_eq!(renewed.held, []),
            refused => assert!(matches!(refused, Err(Refusal::StaleLease)), "{refused:?}"),
        }
    }
    assert_eq!(store.job(lease.job), before);
}

#[test]
fn a_copy_starts_a_new_epoch_once_and_its_original_starts_none() {
    let mut original = Store::fresh();
    original.submit(job());
    let copied_at = original.now;
    let mut copy = original.backed_up();
    copy.advance(60);
    let now = copy.now;
    let epoch = copy.writes().begin_epoch(false, now).unwrap().unwrap();
    assert_eq!(epoch.copied_at, Some(copied_at));
    assert_eq!(copy.lease_next().lease.token, LeaseToken(epoch.token_floor));
    assert!(!begin_epoch(&mut copy, false));
    copy.reopen();
    assert!(!begin_epoch(&mut copy, false));
    assert!(!begin_epoch(&mut original, false));
    assert_eq!(original.lease_next().lease.token, LeaseToken(1));
}

#[test]
fn a_copy_made_by_other_means_starts_an_epoch_if_the_caller_says_so() {
    let mut store = Store::fresh();
    let before = store.running(job());
    store.reopen();
    let now = store.now;
    let epoch = store.writes().begin_epoch(true, now).unwrap().unwrap();
    assert_eq!(epoch.copied_at, None);
    assert_eq!(rescue_dead(&mut store, 10), 1);
    assert_refused(&mut store, before);
}

#[test]
fn jobs_that_were_running_in_a_copy_are_rescued_in_every_lane() {
    let mut original = Store::fresh();
    let held = Lane::ALL.map(|lane| running_in(&mut original, lane));
    let mut copy = serve_copy(&original);
    for lease in held {
        let job = copy.job(lease.job);
        assert_eq!((job.state, job.attempt), (State::Queued, 1), "{}", job.lane);
        assert_eq!(job.failures.unwrap()[0].error.code, "lost");
    }
}

#[test]
fn a_worker_of_the_original_can_do_nothing_in_a_copy() {
    let mut original = Store::fresh();
    let held = Lane::ALL.map(|lane| running_in(&mut original, lane));
    let mut copy = serve_copy(&original);
    for before in held {
        assert_refused(&mut copy, before);
        let lane = copy.job(before.job).lane;
        let again = leased(copy.write(lease("default", lane, 1))).remove(0).lease;
        assert_eq!(again.job, before.job);
        assert!(again.token > before.token);
        // While another worker runs the job, and after that attempt has ended.
        assert_refused(&mut copy, before);
        copy.finish_as_holder(again, completed("2")).unwrap();
        assert_refused(&mut copy, before);
    }
}

#[test]
fn leases_granted_by_the_original_after_the_copy_was_made_are_refused() {
    let mut original = Store::fresh();
    let id = original.submit(NewJob { max_attempts: 100, ..job() });
    let mut copy = serve_copy(&original);
    let mut granted = Vec::new();
    for _ in 0..50 {
        let lease = original.lease_next().lease;
        original.finish(lease, Outcome::Released).unwrap();
        granted.push(lease);
    }
    let own = copy.lease_next().lease;
    assert_eq!(own.job, id);
    for lease in granted {
        assert!(lease.token < own.token);
        assert_refused(&mut copy, lease);
    }
    copy.finish(own, completed("1")).unwrap();
}

#[test]
fn a_finish_of_an_earlier_epoch_is_refused_even_if_it_repeats_what_the_copy_knows() {
    let mut original = Store::fresh();
    for outcome in outcomes() {
        let lease = original.running(NewJob { priority: 1, max_attempts: 1, ..job() });
        original.finish(lease, outcome.clone()).unwrap();
        let mut copy = serve_copy(&original);
        assert_refused(&mut copy, lease);
        // In the original it is still recognized as a repetition.
        original.finish(lease, outcome).unwrap();
        if original.state(lease.job) == State::Queued {
            original.cancel(Write::Cancel(lease.job));
        }
    }
}

#[test]
fn a_crash_in_the_middle_of_a_rescue_leaves_the_remaining_jobs_to_the_next_start() {
    let mut original = Store::fresh();
    let held: Vec<Lease> = [Lane::Async, Lane::Remote, Lane::Remote]
        .map(|lane| running_in(&mut original, lane))
        .into();
    let mut copy = original.backed_up();
    assert!(begin_epoch(&mut copy, false));
    assert_eq!(rescue_dead(&mut copy, 1), 1);
    copy.reopen();
    assert!(!begin_epoch(&mut copy, false), "the epoch has already started");
    assert_eq!(rescue_dead(&mut copy, 1), 1);
    copy.reopen();
    assert_eq!(rescue_dead(&mut copy, 10), 1);
    for lease in held {
        assert_refused(&mut copy, lease);
    }
}

#[test]
fn a_crash_before_the_rescue_leaves_all_jobs_to_the_next_start() {
    let mut original = Store::fresh();
    let held = running_in(&mut original, Lane::Remote);
    let mut copy = original.backed_up();
    assert!(begin_epoch(&mut copy, false));
    copy.reopen();
    assert!(!begin_epoch(&mut copy, false));
    assert_eq!(rescue_dead(&mut copy, 10), 1);
    assert_refused(&mut copy, held);
}

#[test]
fn remote_leases_of_the_epoch_survive_a_restart() {
    let mut original = Store::fresh();
    running_in(&mut original, Lane::Remote);
    let mut copy = serve_copy(&original);
    let own = leased(copy.write(lease("default", Lane::Remote, 1))).remove(0).lease;
    copy.reopen();
    assert_eq!(rescue_dead(&mut copy, 10), 0);
    copy.finish_remote(own, completed("1")).unwrap();
}

#[test]
fn a_copy_of_a_copy_refuses_the_workers_of_both() {
    let mut original = Store::fresh();
    let first = original.running(job());
    original.advance(60);
    let mut copy = serve_copy(&original);
    let second = copy.lease_next().lease;
    copy.advance(60);
    let mut third = serve_copy(&copy);
    assert_refused(&mut third, first);
    assert_refused(&mut third, second);
    assert!(third.lease_next().lease.token > second.token);
}

#[test]
fn an_at_most_once_job_that_was_running_in_a_copy_ends_with_an_unknown_outcome() {
    let mut original = Store::fresh();
    let held = original.running(NewJob { at_most_once: true, ..job() });
    let mut copy = serve_copy(&original);
    let job = copy.job(held.job);
    assert_eq!((job.state, job.error.unwrap().code.as_str()), (State::Failed, "outcome_unknown"));
    assert_refused(&mut copy, held);
}

#[test]
fn a_copy_uses_no_id_that_its_original_has_used_since() {
    let mut original = Store::fresh();
    original.submit(job());
    let mut copy = serve_copy(&original);
    let since = original.submit_all(vec![job(); 100]);
    let batch = Write::Submit(Submit {
        jobs: vec![job()].into(),
        key: None,
        batch: Some(NewBatch::default()),
    });
    original.write(batch.clone()).unwrap();
    let first = copy.submit(job());
    assert!(since.ids().all(|id| id < first), "{first}");
    let Ok(Answer::Submitted(submitted)) = copy.write(batch) else { panic!("not submitted") };
    assert!(submitted.batch.unwrap().id.0 > 1);
    assert!(!copy.exists(JobId(2)));
}

#[test]
fn a_lease_in_the_group_that_submits_a_job_has_a_token_of_the_epoch() {
    let original = Store::fresh();
    let mut copy = original.backed_up();
    let now = copy.now;
    let epoch = copy.writes().begin_epoch(false, now).unwrap().unwrap();
    let group = [submit(vec![job(), job()]), lease("default", Lane::Async, 2)];
    let jobs = leased(copy.commit(&group).answers.remove(1));
    assert_eq!(ids(&jobs).len(), 2);
    assert!(jobs.iter().all(|job| job.lease.token.0 == epoch.token_floor));
}
