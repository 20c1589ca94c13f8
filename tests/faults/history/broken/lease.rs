//! The same for leases, those of remote workers.

use super::super::violation::Violation;
use super::super::{Event, Held};
use super::{Broken, real};

/// A job that was leased once, and completed in answer to one finish.
struct Leased {
    job: i64,
    token: i64,
    /// Where its finish was sent.
    finish: usize,
    result: Option<String>,
}

/// A number that no call has.
const CALL: u64 = u64::MAX;

impl Broken {
    fn leased_once(&self) -> Leased {
        let leases = |id: i64| {
            let leases = self.seen.history.iter().filter_map(|event| match event {
                Event::Leased { leases, .. } => Some(leases),
                _ => None,
            });
            leases.flatten().filter(|lease| lease.job == id).count()
        };
        let finishes = |id: i64| {
            let is = |event: &&Event| matches!(event, Event::Finish { job, .. } if *job == id);
            self.seen.history.iter().filter(is).count()
        };
        let is_accepted = |id: u64| {
            let accepted = Event::Finished { call: id, is_repeated: false };
            self.seen.history.contains(&accepted)
        };
        let found = self.seen.history.iter().enumerate().find_map(|(finish, event)| match event {
            Event::Finish { call, job, token, action, result }
                if action == "complete"
                    && leases(*job) == 1
                    && finishes(*job) == 1
                    && is_accepted(*call) =>
            {
                Some(Leased { job: *job, token: *token, finish, result: result.clone() })
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("the run has no such job"))
    }

    /// Puts in that a worker was granted a lease.
    fn grant(&mut self, at: usize, job: i64, token: i64) {
        let asked = Event::Lease { call: CALL, worker: "another".into() };
        let granted = Event::Leased { call: CALL, leases: vec![Held { job, token }] };
        self.seen.history.splice(at..at, [asked, granted]);
    }

    /// Adds that a worker said that a lease is completed, and was answered with a 2xx.
    fn complete(&mut self, job: i64, token: i64, result: Option<String>, is_repeated: bool) {
        let action = String::from("complete");
        self.seen.history.push(Event::Finish { call: CALL, job, token, action, result });
        self.seen.history.push(Event::Finished { call: CALL, is_repeated });
    }
}

#[test]
fn a_token_that_falls_is_seen() {
    let mut broken = real();
    let Leased { job, token, finish, .. } = broken.leased_once();
    broken.grant(finish, job, token - 1);
    broken.is(&[Violation::TokenFell { job, before: token, after: token - 1 }]);
}

#[test]
fn a_token_that_is_granted_twice_is_seen() {
    let mut broken = real();
    let Leased { job, token, finish, .. } = broken.leased_once();
    broken.grant(finish, job, token);
    broken.is(&[Violation::TokenTwice { job, token }]);
}

#[test]
fn a_late_finish_that_is_accepted_is_seen() {
    let mut broken = real();
    let Leased { job, token, finish, .. } = broken.leased_once();
    broken.grant(finish, job, token + 1);
    broken.is(&[Violation::StaleAccepted { job, token }]);
}

#[test]
fn a_lease_of_a_completed_job_is_seen() {
    let mut broken = real();
    let Leased { job, token, .. } = broken.leased_once();
    let end = broken.seen.history.len();
    broken.grant(end, job, token + 1);
    broken.is(&[Violation::LeasedAfterEnd { job, token: token + 1 }]);
}

#[test]
fn a_lease_that_is_finished_twice_is_seen() {
    let mut broken = real();
    let Leased { job, token, result, .. } = broken.leased_once();
    broken.complete(job, token, result, false);
    broken.is(&[Violation::FinishedTwice { job, token }]);
}

#[test]
fn the_same_finish_again_is_no_fault_and_another_is() {
    let mut broken = real();
    let Leased { job, token, result, .. } = broken.leased_once();
    broken.complete(job, token, result, true);
    broken.is(&[]);
    let mut broken = real();
    broken.complete(job, token, Some("another".into()), true);
    broken.is(&[Violation::RepeatedNothing { job, token }]);
}

#[test]
fn of_two_finishes_under_way_at_once_either_may_come_first() {
    let finish = |job, token, result: &Option<String>| {
        let (action, result) = (String::from("complete"), result.clone());
        Event::Finish { call: CALL, job, token, action, result }
    };
    let known = Event::Finished { call: CALL, is_repeated: true };
    let mut broken = real();
    let Leased { job, token, finish: at, result } = broken.leased_once();
    broken.seen.history.insert(at, finish(job, token, &result));
    broken.seen.history.push(known.clone());
    broken.is(&[]);
    // It cannot have been known before the other was sent.
    let mut broken = real();
    broken.seen.history.splice(at..at, [finish(job, token, &result), known]);
    broken.is(&[Violation::RepeatedNothing { job, token }]);
}

#[test]
fn a_result_that_is_not_the_accepted_one_is_seen() {
    let mut broken = real();
    let Leased { job, .. } = broken.leased_once();
    broken.job(job).result = Some("another".into());
    broken.is(&[Violation::OtherResult { job }]);
}

#[test]
fn a_result_whose_finish_was_not_answered_may_stand_or_not() {
    let mut broken = real();
    let Leased { job, finish, .. } = broken.leased_once();
    let Event::Finish { call: sent, .. } = broken.seen.history[finish] else { unreachable!() };
    let unheard = |event: &Event| match event {
        Event::Finished { call, .. } if *call == sent => {
            Some(Event::Unknown { call: *call, why: "timed out".into() })
        }
        _ => None,
    };
    assert_eq!(broken.change(unheard), 1);
    broken.is(&[]);
    broken.job(job).result = Some("another".into());
    broken.is(&[Violation::OtherResult { job }]);
}

#[test]
fn an_effect_of_a_lease_that_nobody_began_with_is_seen() {
    let mut broken = real();
    let Leased { job, token, .. } = broken.leased_once();
    let of_another = |event: &Event| match event {
        Event::Effect { job: of, .. } if *of == job => {
            Some(Event::Effect { job, token: Some(token + 1), attempt: None })
        }
        _ => None,
    };
    assert_eq!(broken.change(of_another), 1);
    broken.is(&[Violation::EffectUnexplained { job }]);
}
