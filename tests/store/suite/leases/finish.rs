//! Finishes: which leases may finish a job, and the answers to repeated and late finishes.

use longshore::job::lease::{Lease, LeaseToken};
use longshore::job::outcome::Outcome;
use longshore::job::{Job, JobError, JobId, Lane, NewJob, State};
use longshore::store::{Finish, Finished, Holder, JobLocation, Refusal, RescueScope, Write};

use super::Store;
use crate::kit::{completed, deferred, failed, finish, job, job_in_queue, lease, leased};

fn outcomes() -> [Outcome; 6] {
    let fatal = Outcome::fatal("broken", "it broke");
    let cancelled = Outcome::Cancelled(None);
    [completed("1"), failed(), fatal, Outcome::Released, cancelled, deferred(5, false)]
}

#[test]
fn a_late_worker_cannot_finish_a_job_that_was_leased_again() {
    for outcome in outcomes() {
        let mut store = Store::fresh();
        let late = store.running(job());
        store.advance(61);
        store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
        let holder = store.lease_next().lease;
        let before = store.job(late.job);
        assert_eq!(store.finish(late, outcome.clone()), Err(Refusal::StaleLease));
        assert_eq!(store.job(late.job), before);
        store.finish(holder, completed("\"the holder's\"")).unwrap();
        let before = store.job(late.job);
        assert_eq!(store.finish(late, outcome), Err(Refusal::StaleLease));
        assert_eq!(store.job(late.job), before);
    }
}

#[test]
fn a_worker_whose_job_was_rescued_cannot_finish_even_before_the_job_is_leased_again() {
    for outcome in outcomes() {
        let mut store = Store::fresh();
        let late = store.running(job());
        store.advance(61);
        store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
        assert_eq!(store.finish(late, outcome), Err(Refusal::StaleLease));
        assert_eq!(store.job(late.job).attempt, 1);
    }
}

#[test]
fn an_expired_lease_holds_until_its_job_is_rescued() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.advance(3600);
    let finished = store.finish(lease, completed("1"));
    assert_eq!(finished, Ok(Finished::Accepted(State::Completed)));
}

/// Finishes a job, repeats the finish, and checks that the repetition changes nothing.
fn finish_twice(new: NewJob, outcome: &Outcome, cancel: bool) -> (Finished, Job) {
    let mut store = Store::fresh();
    let lease = store.running(new);
    if cancel {
        store.write(Write::Cancel(lease.job)).unwrap();
    }
    let first = store.finish(lease, outcome.clone()).unwrap();
    let before = store.job(lease.job);
    store.advance(1);
    let again = finish(lease, outcome.clone());
    let committed = store.commit(&[again.clone(), again]);
    for answer in committed.answers {
        let answer = format!("{:?}", answer.unwrap());
        assert_eq!(answer, "Finished(Repeated)", "{outcome:?}, cancelled: {cancel}");
    }
    assert_eq!(committed.changes, []);
    assert_eq!(store.job(lease.job), before);
    (first, before)
}

#[test]
fn a_repeated_finish_is_recognized_and_changes_nothing() {
    for outcome in outcomes() {
        finish_twice(job(), &outcome, false);
    }
}

#[test]
fn a_repeated_finish_is_recognized_if_the_job_was_asked_to_stop() {
    for outcome in outcomes() {
        finish_twice(job(), &outcome, true);
    }
}

#[test]
fn a_repeated_finish_is_recognized_for_an_at_most_once_job() {
    for outcome in outcomes() {
        finish_twice(NewJob { at_most_once: true, ..job() }, &outcome, false);
    }
}

#[test]
fn a_finish_and_its_repetition_in_one_group_apply_once() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let committed = store.commit(&[finish(lease, completed("1")), finish(lease, completed("1"))]);
    assert_eq!(committed.changes.len(), 1);
    let last = format!("{:?}", committed.answers[1]);
    assert_eq!(last, "Ok(Finished(Repeated))");
}

#[test]
fn another_outcome_under_the_same_lease_is_refused() {
    for (index, first) in outcomes().into_iter().enumerate() {
        for (other_index, other) in outcomes().into_iter().enumerate() {
            let mut store = Store::fresh();
            let lease = store.running(job());
            store.finish(lease, first.clone()).unwrap();
            let before = store.job(lease.job);
            // A release of a cancelled job has the same effect, so it counts as a repetition. So has a
            // deferral, and the effect of a release is that of a deferral.
            let is_equivalent = match first {
                Outcome::Cancelled(_) => matches!(other, Outcome::Released | Outcome::Deferred(_)),
                Outcome::Released => matches!(other, Outcome::Deferred(_)),
                _ => false,
            };
            if index != other_index && !is_equivalent {
                let refused = store.finish(lease, other.clone());
                assert_eq!(refused, Err(Refusal::StaleLease), "{first:?}, then {other:?}");
            }
            assert_eq!(store.job(lease.job), before);
        }
    }
}

#[test]
fn another_result_or_error_under_the_same_lease_is_refused() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, completed("1")).unwrap();
    assert_eq!(store.finish(lease, completed("2")), Err(Refusal::StaleLease));
    let lease = store.running(job());
    store.finish(lease, failed()).unwrap();
    let other = Outcome::retryable("timeout", "too slow by far");
    assert_eq!(store.finish(lease, other), Err(Refusal::StaleLease));
}

#[test]
fn a_token_that_was_never_granted_finishes_nothing() {
    let mut store = Store::fresh();
    let id = store.submit(job());
    let forged = |token| Lease { job: id, token: LeaseToken(token) };
    for outcome in outcomes() {
        assert_eq!(store.finish(forged(0), outcome), Err(Refusal::StaleLease));
    }
    store.lease_next();
    for token in [-1, 0, 2, i64::MAX] {
        assert_eq!(store.finish(forged(token), completed("1")), Err(Refusal::StaleLease));
    }
    assert_eq!(store.state(id), State::Running);
}

#[test]
fn a_job_that_does_not_exist_cannot_be_finished() {
    let mut store = Store::fresh();
    let lease = Lease { job: JobId(7), token: LeaseToken(1) };
    for outcome in outcomes() {
        assert_eq!(store.finish(lease, outcome), Err(Refusal::NoJob(JobId(7))));
    }
}

#[test]
fn a_worker_may_report_an_attempt_as_lost() {
    let lost = Outcome::Lost(JobError::new("lost", "its child was killed"));
    let (first, _) = finish_twice(job(), &lost, false);
    assert_eq!(first, Finished::Accepted(State::Queued));
}

#[test]
fn the_location_of_another_job_is_ignored() {
    let mut store = Store::fresh();
    store.submit_all(vec![job(), job_in_queue("mail")]);
    let [from_default] = leased(store.write(lease("default", Lane::Async, 1))).try_into().unwrap();
    let [from_mail] = leased(store.write(lease("mail", Lane::Async, 1))).try_into().unwrap();
    let finish = Finish {
        lease: from_default.lease,
        outcome: completed("1"),
        holder: Holder::Local,
        location: Some(JobLocation::of(&from_mail)),
        started_at: None,
    };
    let changes = store.commit(&[Write::Finish(finish)]).changes;
    assert_eq!((changes[0].job, &changes[0].queue), (from_default.lease.job, &from_default.queue));
}
