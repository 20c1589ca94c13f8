//! Tests of the checker: a real history is broken in each way that the checker knows. The checker
//! must report that violation and no other.

mod follow_up;
mod lease;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::check::check;
use super::table::StoredJob;
use super::violation::{Operation, Violation};
use super::{Event, Submit, read};
use crate::kit::{Server, Setup};
use crate::load::Observed;
use crate::random::Random;
use crate::repeated_faults::{DEMANDED, LoadCounts, run_with_repeated_faults};

/// Returns the history and the final jobs of a real server that was killed twice under load.
fn real() -> Broken {
    static REAL: OnceLock<Observed> = OnceLock::new();
    let observed = REAL.get_or_init(|| {
        let mut server = Setup::new().config("lanes.async = 64").start();
        let mut random = Random::new(7);
        run_with_repeated_faults(
            &mut server,
            2,
            &mut random,
            &mut LoadCounts::default(),
            Server::kill,
        )
    });
    Broken { observed: observed.clone() }
}

/// History and final jobs of a server, which a test then breaks.
struct Broken {
    observed: Observed,
}

impl Broken {
    /// Returns a completed job without a follow-up job whose submission matches.
    ///
    /// The job was submitted once and acknowledged, and no client read or cancelled it.
    fn completed(&self, matches: impl Fn(&Submit) -> bool) -> i64 {
        self.any_completed(|submit| submit.follow_up.is_none() && matches(submit))
    }

    fn any_completed(&self, matches: impl Fn(&Submit) -> bool) -> i64 {
        let read: BTreeSet<i64> =
            self.observed.history.iter().filter_map(read_or_cancelled).collect();
        let known = |id: &i64| {
            let job = self.observed.table.get(id).filter(|job| job.state == "completed");
            job.filter(|_| !read.contains(id))
        };
        let jobs = self.observed.history.iter().filter_map(|event| match event {
            Event::Submitted { job, .. } => known(job).map(|found| (*job, found)),
            _ => None,
        });
        let mut found = jobs.filter(|(_, job)| {
            let sent = |event: &&Event| matches!(event, Event::Submit(it) if it.tag == job.tag);
            let submissions: Vec<&Event> = self.observed.history.iter().filter(sent).collect();
            matches!(submissions[..], [Event::Submit(submit)] if matches(submit))
        });
        let job = found.next();
        job.unwrap_or_else(|| panic!("the history has no such job")).0
    }

    fn echo(&self) -> i64 {
        self.completed(|submit| submit.result.is_some())
    }

    fn call(&self) -> i64 {
        self.completed(|submit| submit.has_effect && !submit.at_most_once)
    }

    fn job(&mut self, id: i64) -> &mut StoredJob {
        self.observed.table.get_mut(&id).unwrap()
    }

    /// Replaces each event for which `change` returns another one, and returns their number.
    fn change(&mut self, change: impl Fn(&Event) -> Option<Event>) -> usize {
        let mut changed = 0;
        for event in &mut self.observed.history {
            if let Some(other) = change(event) {
                *event = other;
                changed += 1;
            }
        }
        changed
    }

    fn expect(&self, expected: &[Violation]) {
        let found = check(&self.observed.history, &self.observed.table, &DEMANDED);
        assert_eq!(found, expected);
    }
}

fn read_or_cancelled(event: &Event) -> Option<i64> {
    match event {
        Event::Read { job, .. } | Event::Cancel { job, .. } => Some(*job),
        _ => None,
    }
}

#[test]
fn a_real_history_has_no_violation() {
    real().expect(&[]);
}

#[test]
fn a_missing_acknowledged_job_is_reported_as_lost() {
    let mut broken = real();
    let job = broken.echo();
    let tag = broken.observed.table.remove(&job).unwrap().tag;
    broken.expect(&[Violation::Lost { job, tag }]);
}

#[test]
fn a_job_that_was_not_acknowledged_may_exist_or_not() {
    let mut broken = real();
    let id = broken.echo();
    let unanswered = |event: &Event| match event {
        Event::Submitted { call, job } if *job == id => {
            Some(Event::Unknown { call: *call, why: "connection reset".into() })
        }
        _ => None,
    };
    assert_eq!(broken.change(unanswered), 1);
    broken.expect(&[]);
    broken.observed.table.remove(&id);
    broken.expect(&[]);
}

#[test]
fn a_job_that_was_never_submitted_is_reported_as_invented() {
    let mut broken = real();
    let echo = broken.echo();
    let invented = StoredJob { tag: "nobody".into(), ..broken.job(echo).clone() };
    broken.observed.table.insert(1_000_000, invented);
    broken.expect(&[Violation::Invented { job: 1_000_000, tag: "nobody".into() }]);
}

#[test]
fn two_jobs_with_one_key_are_reported_as_duplicates() {
    let mut broken = real();
    let job = broken.completed(|submit| submit.key.is_some() && submit.result.is_some());
    let twin = broken.job(job).clone();
    let tag = twin.tag.clone();
    broken.observed.table.insert(1_000_000, twin);
    broken.expect(&[Violation::Duplicates { tag, jobs: vec![job, 1_000_000] }]);
}

#[test]
fn a_different_job_under_an_acknowledged_id_is_reported() {
    let mut broken = real();
    let job = broken.completed(|submit| submit.result.is_none() && !submit.has_effect);
    let StoredJob { tag, state, attempt, .. } = broken.job(job).clone();
    let unanswered = Submit { tag: "unanswered".into(), ..Submit::default() };
    broken.observed.history.insert(0, Event::Submit(Submit { call: u64::MAX, ..unanswered }));
    broken.job(job).tag = "unanswered".into();
    assert_eq!((&*state, attempt > 0), ("completed", true));
    let found = "unanswered".into();
    broken.expect(&[Violation::DifferentJob { job, acknowledged: tag, found }]);
}

#[test]
fn a_job_that_has_not_ended_is_reported() {
    let mut broken = real();
    let job = broken.echo();
    broken.job(job).state = "running".into();
    broken.expect(&[Violation::NotFinal { job, state: "running".into() }]);
}

#[test]
fn an_unexplained_failure_is_reported() {
    let mut broken = real();
    let job = broken.completed(|submit| !submit.has_effect && submit.result.is_none());
    broken.job(job).error = Some("lost".into());
    broken.job(job).state = "failed".into();
    let error = Some("lost".into());
    broken.expect(&[Violation::Unexplained { job, state: "failed".into(), error }]);
}

#[test]
fn a_wrong_result_is_reported() {
    let mut broken = real();
    let job = broken.echo();
    broken.job(job).result = Some("another".into());
    broken.expect(&[Violation::WrongResult { job }]);
}

#[test]
fn an_effect_that_no_attempt_explains_is_reported() {
    let mut broken = real();
    let job = broken.call();
    let attempt = Some(broken.job(job).attempt + 1);
    broken.observed.history.push(Event::Effect { job, token: None, attempt });
    broken.expect(&[Violation::EffectUnexplained { job }]);
    let mut broken = real();
    broken.observed.history.push(Event::Effect { job: 1_000_000, token: None, attempt: Some(1) });
    broken.expect(&[Violation::EffectUnexplained { job: 1_000_000 }]);
}

#[test]
fn a_second_effect_of_one_attempt_is_reported() {
    let mut broken = real();
    let job = broken.call();
    let mut events = broken.observed.history.iter();
    let effect = events.find(|it| matches!(it, Event::Effect { job: of, .. } if *of == job));
    let effect = effect.unwrap().clone();
    broken.observed.history.push(effect);
    broken.expect(&[Violation::EffectUnexplained { job }]);
}

#[test]
fn two_effects_of_an_at_most_once_job_are_reported() {
    let mut broken = real();
    let job = broken.completed(|submit| submit.has_effect && submit.at_most_once);
    broken.job(job).attempt = 2;
    broken.observed.history.push(Event::Effect { job, token: None, attempt: Some(2) });
    broken.expect(&[Violation::RanTwice { job }]);
}

#[test]
fn a_job_that_completed_without_its_effect_is_reported() {
    let mut broken = real();
    let job = broken.call();
    broken.observed.history.retain(|it| !matches!(it, Event::Effect { job: of, .. } if *of == job));
    broken.expect(&[Violation::EffectMissing { job }]);
}

#[test]
fn an_acknowledged_job_that_was_not_found_is_reported() {
    let mut broken = real();
    let job = broken.echo();
    let call = u64::MAX;
    broken.observed.history.push(Event::Read { call, job });
    broken.observed.history.push(Event::Refused { call, status: 404 });
    broken.expect(&[Violation::NotFound { job }]);
}

#[test]
fn a_final_state_that_changed_after_a_read_is_reported() {
    let mut broken = real();
    let job = broken.echo();
    let (call, seen) = (u64::MAX, String::from("cancelled"));
    broken.observed.history.push(Event::Read { call, job });
    broken.observed.history.push(Event::Seen { call, state: seen.clone() });
    broken.expect(&[Violation::FinalStateChanged { job, seen, found: "completed".into() }]);
}

#[test]
fn an_operation_that_never_succeeded_is_reported() {
    let mut broken = real();
    let refused = |event: &Event| match event {
        Event::Cancelled { call, .. } => Some(Event::Refused { call: *call, status: 409 }),
        _ => None,
    };
    assert!(broken.change(refused) > 0);
    broken.expect(&[Violation::NeverSucceeded { operation: Operation::Cancel }]);
    let mut broken = real();
    broken.observed.history.retain(|event| !matches!(event, Event::Fault { .. }));
    broken.expect(&[Violation::NeverSucceeded { operation: Operation::Fault }]);
}

#[test]
fn a_torn_last_line_is_ignored() {
    let line = serde_json::to_string(&real().observed.history[0]).unwrap();
    let text = format!("{line}\n{line}\n{}", &line[..line.len() / 2]);
    assert_eq!(read(&text).len(), 2);
    assert_eq!(read(""), []);
}

#[test]
#[should_panic(expected = "not an event")]
fn a_torn_line_before_others_is_an_error() {
    read("{\"event\":\"fau\n{\"event\":\"fault\",\"what\":\"kill\"}\n");
}
