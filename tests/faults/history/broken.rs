//! The checker can fail: a real history, broken in each way that it knows, is caught as that and
//! as nothing else.

mod lease;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::check::check;
use super::table::Found;
use super::violation::{Operation, Violation};
use super::{Event, Submit, read};
use crate::kit::{Server, Setup};
use crate::load::Seen;
use crate::random::Random;
use crate::siege::{DEMANDED, Figures, besiege};

/// A real history with its end: a server that was killed twice under load.
fn real() -> Broken {
    static REAL: OnceLock<Seen> = OnceLock::new();
    let seen = REAL.get_or_init(|| {
        let mut server = Setup::new().config("lanes.async = 64").start();
        let mut random = Random::new(7);
        besiege(&mut server, 2, &mut random, &mut Figures::default(), Server::kill)
    });
    Broken { seen: seen.clone() }
}

/// A history that is being broken.
struct Broken {
    seen: Seen,
}

impl Broken {
    /// A job that was sent once and acknowledged, completed, and that nobody asked after, whose
    /// submission is like this.
    fn completed(&self, is: impl Fn(&Submit) -> bool) -> i64 {
        let asked: BTreeSet<i64> = self.seen.history.iter().filter_map(asked_after).collect();
        let known = |id: &i64| {
            let job = self.seen.table.get(id).filter(|job| job.state == "completed");
            job.filter(|_| !asked.contains(id))
        };
        let jobs = self.seen.history.iter().filter_map(|event| match event {
            Event::Submitted { job, .. } => known(job).map(|found| (*job, found)),
            _ => None,
        });
        let mut found = jobs.filter(|(_, job)| {
            let sent = |event: &&Event| matches!(event, Event::Submit(it) if it.tag == job.tag);
            let submissions: Vec<&Event> = self.seen.history.iter().filter(sent).collect();
            matches!(submissions[..], [Event::Submit(submit)] if is(submit))
        });
        let job = found.next();
        job.unwrap_or_else(|| panic!("the run has no such job")).0
    }

    fn echo(&self) -> i64 {
        self.completed(|submit| submit.result.is_some())
    }

    fn call(&self) -> i64 {
        self.completed(|submit| submit.has_effect && !submit.at_most_once)
    }

    fn job(&mut self, id: i64) -> &mut Found {
        self.seen.table.get_mut(&id).unwrap()
    }

    /// Changes the answers for which `change` gives another event.
    fn change(&mut self, change: impl Fn(&Event) -> Option<Event>) -> usize {
        let mut changed = 0;
        for event in &mut self.seen.history {
            if let Some(other) = change(event) {
                *event = other;
                changed += 1;
            }
        }
        changed
    }

    fn is(&self, expected: &[Violation]) {
        let found = check(&self.seen.history, &self.seen.table, &DEMANDED);
        assert_eq!(found, expected);
    }
}

fn asked_after(event: &Event) -> Option<i64> {
    match event {
        Event::Read { job, .. } | Event::Cancel { job, .. } => Some(*job),
        _ => None,
    }
}

#[test]
fn a_real_history_breaks_nothing() {
    real().is(&[]);
}

#[test]
fn a_job_that_was_acknowledged_and_is_gone_is_lost() {
    let mut broken = real();
    let job = broken.echo();
    let tag = broken.seen.table.remove(&job).unwrap().tag;
    broken.is(&[Violation::Lost { job, tag }]);
}

#[test]
fn a_job_that_was_not_acknowledged_may_be_there_or_not() {
    let mut broken = real();
    let id = broken.echo();
    let unheard = |event: &Event| match event {
        Event::Submitted { call, job } if *job == id => {
            Some(Event::Unknown { call: *call, why: "connection reset".into() })
        }
        _ => None,
    };
    assert_eq!(broken.change(unheard), 1);
    broken.is(&[]);
    broken.seen.table.remove(&id);
    broken.is(&[]);
}

#[test]
fn a_job_that_nobody_submitted_is_invented() {
    let mut broken = real();
    let echo = broken.echo();
    let invented = Found { tag: "nobody".into(), ..broken.job(echo).clone() };
    broken.seen.table.insert(1_000_000, invented);
    broken.is(&[Violation::Invented { job: 1_000_000, tag: "nobody".into() }]);
}

#[test]
fn two_jobs_with_one_key_are_one_too_many() {
    let mut broken = real();
    let job = broken.completed(|submit| submit.key.is_some() && submit.result.is_some());
    let twin = broken.job(job).clone();
    let tag = twin.tag.clone();
    broken.seen.table.insert(1_000_000, twin);
    broken.is(&[Violation::Several { tag, jobs: vec![job, 1_000_000] }]);
}

#[test]
fn another_job_under_an_acknowledged_id_is_seen() {
    let mut broken = real();
    let job = broken.completed(|submit| submit.result.is_none() && !submit.has_effect);
    let Found { tag, state, attempt, .. } = broken.job(job).clone();
    let unheard = Submit { tag: "unheard".into(), ..Submit::default() };
    broken.seen.history.insert(0, Event::Submit(Submit { call: u64::MAX, ..unheard }));
    broken.job(job).tag = "unheard".into();
    assert_eq!((&*state, attempt > 0), ("completed", true));
    let found = "unheard".into();
    broken.is(&[Violation::Another { job, acknowledged: tag, found }]);
}

#[test]
fn a_job_that_has_not_ended_is_seen() {
    let mut broken = real();
    let job = broken.echo();
    broken.job(job).state = "running".into();
    broken.is(&[Violation::NotFinal { job, state: "running".into() }]);
}

#[test]
fn a_failure_that_nothing_explains_is_seen() {
    let mut broken = real();
    let job = broken.completed(|submit| !submit.has_effect && submit.result.is_none());
    broken.job(job).error = Some("lost".into());
    broken.job(job).state = "failed".into();
    let error = Some("lost".into());
    broken.is(&[Violation::Unexplained { job, state: "failed".into(), error }]);
}

#[test]
fn another_result_is_seen() {
    let mut broken = real();
    let job = broken.echo();
    broken.job(job).result = Some("another".into());
    broken.is(&[Violation::OtherResult { job }]);
}

#[test]
fn an_effect_that_no_attempt_explains_is_seen() {
    let mut broken = real();
    let job = broken.call();
    let attempt = Some(broken.job(job).attempt + 1);
    broken.seen.history.push(Event::Effect { job, token: None, attempt });
    broken.is(&[Violation::EffectUnexplained { job }]);
    let mut broken = real();
    broken.seen.history.push(Event::Effect { job: 1_000_000, token: None, attempt: Some(1) });
    broken.is(&[Violation::EffectUnexplained { job: 1_000_000 }]);
}

#[test]
fn two_effects_of_one_attempt_are_one_too_many() {
    let mut broken = real();
    let job = broken.call();
    let mut events = broken.seen.history.iter();
    let effect = events.find(|it| matches!(it, Event::Effect { job: of, .. } if *of == job));
    let effect = effect.unwrap().clone();
    broken.seen.history.push(effect);
    broken.is(&[Violation::EffectUnexplained { job }]);
}

#[test]
fn two_effects_of_a_job_that_may_run_once_are_seen() {
    let mut broken = real();
    let job = broken.completed(|submit| submit.has_effect && submit.at_most_once);
    broken.job(job).attempt = 2;
    broken.seen.history.push(Event::Effect { job, token: None, attempt: Some(2) });
    broken.is(&[Violation::RanTwice { job }]);
}

#[test]
fn a_job_that_completed_without_its_effect_is_seen() {
    let mut broken = real();
    let job = broken.call();
    broken.seen.history.retain(|it| !matches!(it, Event::Effect { job: of, .. } if *of == job));
    broken.is(&[Violation::EffectMissing { job }]);
}

#[test]
fn an_acknowledged_job_that_was_not_found_is_seen() {
    let mut broken = real();
    let job = broken.echo();
    let call = u64::MAX;
    broken.seen.history.push(Event::Read { call, job });
    broken.seen.history.push(Event::Refused { call, status: 404 });
    broken.is(&[Violation::NotFound { job }]);
}

#[test]
fn an_end_that_was_seen_and_changed_is_seen() {
    let mut broken = real();
    let job = broken.echo();
    let (call, seen) = (u64::MAX, String::from("cancelled"));
    broken.seen.history.push(Event::Read { call, job });
    broken.seen.history.push(Event::Seen { call, state: seen.clone() });
    broken.is(&[Violation::EndChanged { job, seen, found: "completed".into() }]);
}

#[test]
fn an_operation_that_never_succeeded_shows_nothing() {
    let mut broken = real();
    let refused = |event: &Event| match event {
        Event::Cancelled { call, .. } => Some(Event::Refused { call: *call, status: 409 }),
        _ => None,
    };
    assert!(broken.change(refused) > 0);
    broken.is(&[Violation::NeverSucceeded { operation: Operation::Cancel }]);
    let mut broken = real();
    broken.seen.history.retain(|event| !matches!(event, Event::Fault { .. }));
    broken.is(&[Violation::NeverSucceeded { operation: Operation::Fault }]);
}

#[test]
fn a_last_line_that_is_torn_is_left_out() {
    let line = serde_json::to_string(&real().seen.history[0]).unwrap();
    let text = format!("{line}\n{line}\n{}", &line[..line.len() / 2]);
    assert_eq!(read(&text).len(), 2);
    assert_eq!(read(""), []);
}

#[test]
#[should_panic(expected = "no event")]
fn a_line_that_is_torn_before_others_is_no_history() {
    read("{\"event\":\"fau\n{\"event\":\"fault\",\"what\":\"kill\"}\n");
}
