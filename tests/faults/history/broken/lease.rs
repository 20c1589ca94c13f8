//! Tests of the checker for leases of remote workers.

use super::super::violation::Violation;
use super::super::{Event, HeldLease};
use super::{Broken, real};

/// Job without a follow-up job that was leased once and completed by one finish.
struct Leased {
    job: i64,
    token: i64,
    /// Index of the event with which its finish was sent.
    finish: usize,
    result: Option<String>,
}

/// Call number that no request of the history has.
const CALL: u64 = u64::MAX;

impl Broken {
    fn leased_once(&self) -> Leased {
        let leases = |id: i64| {
            let leases = self.observed.history.iter().filter_map(|event| match event {
                Event::Leased { leases, .. } => Some(leases),
                _ => None,
            });
            leases.flatten().filter(|lease| lease.job == id).count()
        };
        let finishes = |id: i64| {
            let of_the_job =
                |event: &&Event| matches!(event, Event::Finish { job, .. } if *job == id);
            self.observed.history.iter().filter(of_the_job).count()
        };
        let is_accepted = |id: u64| {
            let accepted = Event::Finished { call: id, is_repeated: false };
            self.observed.history.contains(&accepted)
        };
        let found =
            self.observed.history.iter().enumerate().find_map(|(finish, event)| match event {
                Event::Finish { call, job, token, action, result }
                    if action == "complete"
                        && leases(*job) == 1
                        && finishes(*job) == 1
                        && is_accepted(*call)
                        && !self.has_follow_up(*job) =>
                {
                    Some(Leased { job: *job, token: *token, finish, result: result.clone() })
                }
                _ => None,
            });
        found.unwrap_or_else(|| panic!("the history has no such job"))
    }

    /// Inserts a lease request and its answer, which grants a lease.
    fn grant(&mut self, at: usize, job: i64, token: i64) {
        let request = Event::Lease { call: CALL, worker: "another".into() };
        let answer = Event::Leased { call: CALL, leases: vec![HeldLease { job, token }] };
        self.observed.history.splice(at..at, [request, answer]);
    }

    /// Appends a finish that completes a lease, and its answer, which is a 2xx.
    fn complete(&mut self, job: i64, token: i64, result: Option<String>, is_repeated: bool) {
        let action = String::from("complete");
        self.observed.history.push(Event::Finish { call: CALL, job, token, action, result });
        self.observed.history.push(Event::Finished { call: CALL, is_repeated });
    }
}

#[test]
fn a_token_that_falls_is_reported() {
    let mut broken = real();
    let Leased { job, token, finish, .. } = broken.leased_once();
    broken.grant(finish, job, token - 1);
    broken.expect(&[Violation::TokenFell { job, before: token, after: token - 1 }]);
}

#[test]
fn a_token_that_is_granted_twice_is_reported() {
    let mut broken = real();
    let Leased { job, token, finish, .. } = broken.leased_once();
    broken.grant(finish, job, token);
    broken.expect(&[Violation::TokenTwice { job, token }]);
}

#[test]
fn a_late_finish_that_is_accepted_is_reported() {
    let mut broken = real();
    let Leased { job, token, finish, .. } = broken.leased_once();
    broken.grant(finish, job, token + 1);
    broken.expect(&[Violation::StaleAccepted { job, token }]);
}

#[test]
fn a_lease_of_a_completed_job_is_reported() {
    let mut broken = real();
    let Leased { job, token, .. } = broken.leased_once();
    let end = broken.observed.history.len();
    broken.grant(end, job, token + 1);
    broken.expect(&[Violation::LeasedAfterEnd { job, token: token + 1 }]);
}

#[test]
fn a_lease_that_is_finished_twice_is_reported() {
    let mut broken = real();
    let Leased { job, token, result, .. } = broken.leased_once();
    broken.complete(job, token, result, false);
    broken.expect(&[Violation::FinishedTwice { job, token }]);
}

#[test]
fn a_repeated_finish_is_allowed_and_a_different_one_is_reported() {
    let mut broken = real();
    let Leased { job, token, result, .. } = broken.leased_once();
    broken.complete(job, token, result, true);
    broken.expect(&[]);
    let mut broken = real();
    broken.complete(job, token, Some("another".into()), true);
    broken.expect(&[Violation::FalseRepeat { job, token }]);
}

#[test]
fn two_concurrent_finishes_may_be_accepted_in_either_order() {
    let finish = |job, token, result: &Option<String>| {
        let (action, result) = (String::from("complete"), result.clone());
        Event::Finish { call: CALL, job, token, action, result }
    };
    let known = Event::Finished { call: CALL, is_repeated: true };
    let mut broken = real();
    let Leased { job, token, finish: at, result } = broken.leased_once();
    broken.observed.history.insert(at, finish(job, token, &result));
    broken.observed.history.push(known.clone());
    broken.expect(&[]);
    // A finish cannot be a repeat if it was answered before the other one was sent.
    let mut broken = real();
    broken.observed.history.splice(at..at, [finish(job, token, &result), known]);
    broken.expect(&[Violation::FalseRepeat { job, token }]);
}

#[test]
fn a_result_that_is_not_the_accepted_one_is_reported() {
    let mut broken = real();
    let Leased { job, .. } = broken.leased_once();
    broken.job(job).result = Some("another".into());
    broken.expect(&[Violation::WrongResult { job }]);
}

#[test]
fn the_result_of_an_unanswered_finish_is_allowed_and_another_is_reported() {
    let mut broken = real();
    let Leased { job, finish, .. } = broken.leased_once();
    let Event::Finish { call: sent, .. } = broken.observed.history[finish] else { unreachable!() };
    let unanswered = |event: &Event| match event {
        Event::Finished { call, .. } if *call == sent => {
            Some(Event::Unknown { call: *call, why: "timed out".into() })
        }
        _ => None,
    };
    assert_eq!(broken.change(unanswered), 1);
    broken.expect(&[]);
    broken.job(job).result = Some("another".into());
    broken.expect(&[Violation::WrongResult { job }]);
}

#[test]
fn an_effect_of_a_lease_that_no_worker_started_is_reported() {
    let mut broken = real();
    let Leased { job, token, .. } = broken.leased_once();
    let of_another = |event: &Event| match event {
        Event::Effect { job: of, .. } if *of == job => {
            Some(Event::Effect { job, token: Some(token + 1), attempt: None })
        }
        _ => None,
    };
    assert_eq!(broken.change(of_another), 1);
    broken.expect(&[Violation::EffectUnexplained { job }]);
}
