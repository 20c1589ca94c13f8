//! Holds a history against what the server has in the end.
//!
//! A pure function. What is unknown is allowed either way; what was acknowledged is not.

use std::collections::{BTreeMap, BTreeSet};

use super::leases;
use super::table::{Found, Table, is_final};
use super::violation::{Operation, Violation};
use super::{Event, Submit};

/// Everything in which the history and the table break a promise. `demanded` says what must have
/// succeeded at least once, since nothing is shown by what never happened.
pub(crate) fn check(events: &[Event], table: &Table, demanded: &[Operation]) -> Vec<Violation> {
    let view = View::of(events);
    let mut found = BTreeSet::new();
    found.extend(submissions(&view, table));
    found.extend(ends(&view, table));
    found.extend(leases::check(&view, table));
    found.extend(effects(&view, table));
    found.extend(reads(&view, table));
    let succeeded = view.succeeded();
    let missing = demanded.iter().filter(|operation| !succeeded.contains(operation));
    found.extend(missing.map(|operation| Violation::NeverSucceeded { operation: *operation }));
    found.into_iter().collect()
}

/// A history with its answers found.
pub(super) struct View<'a> {
    pub(super) events: &'a [Event],
    /// Where the answer to a call stands.
    answers: BTreeMap<u64, usize>,
    /// The submissions by the tag of their job, the first where a key was used again.
    by_tag: BTreeMap<&'a str, &'a Submit>,
}

impl<'a> View<'a> {
    fn of(events: &'a [Event]) -> Self {
        let mut view = Self { events, answers: BTreeMap::new(), by_tag: BTreeMap::new() };
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Submit(submit) => {
                    view.by_tag.entry(&submit.tag).or_insert(submit);
                }
                Event::Submitted { call, .. }
                | Event::Leased { call, .. }
                | Event::Finished { call, .. }
                | Event::Cancelled { call, .. }
                | Event::Seen { call, .. }
                | Event::Refused { call, .. }
                | Event::Unknown { call, .. } => {
                    view.answers.insert(*call, at);
                }
                _ => {}
            }
        }
        view
    }

    /// The answer to a call and its place; none where the history ends before it.
    pub(super) fn answer(&self, call: u64) -> Option<(usize, &'a Event)> {
        self.answers.get(&call).map(|at| (*at, &self.events[*at]))
    }

    /// What was submitted under the tag of a job.
    fn submission(&self, job: &Found) -> Option<&'a Submit> {
        self.by_tag.get(job.tag.as_str()).copied()
    }

    /// Whether a job was submitted as one that never runs twice.
    fn runs_once(&self, job: &Found) -> bool {
        self.submission(job).is_some_and(|submit| submit.at_most_once)
    }

    /// The jobs that were acknowledged: where that stands, and their tags.
    fn acknowledged(&self) -> impl Iterator<Item = (i64, usize, &'a str)> {
        self.events.iter().filter_map(|event| {
            let Event::Submit(submit) = event else { return None };
            match self.answer(submit.call)? {
                (at, Event::Submitted { job, .. }) => Some((*job, at, submit.tag.as_str())),
                _ => None,
            }
        })
    }

    fn cancelled(&self) -> BTreeSet<i64> {
        let jobs = self.events.iter().filter_map(|event| match event {
            Event::Cancel { job, .. } => Some(*job),
            _ => None,
        });
        jobs.collect()
    }

    fn succeeded(&self) -> BTreeSet<Operation> {
        let operation = |event: &Event| match event {
            Event::Submitted { .. } => Some(Operation::Submit),
            Event::Leased { leases, .. } => (!leases.is_empty()).then_some(Operation::Lease),
            Event::Start { .. } => Some(Operation::Start),
            Event::Effect { .. } => Some(Operation::Effect),
            Event::Finished { .. } => Some(Operation::Finish),
            Event::Cancelled { .. } => Some(Operation::Cancel),
            Event::Seen { .. } => Some(Operation::Read),
            Event::Fault { .. } => Some(Operation::Fault),
            _ => None,
        };
        self.events.iter().filter_map(operation).collect()
    }
}

/// What was acknowledged is there, what is there was submitted, and once.
fn submissions(view: &View, table: &Table) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    for (id, _, tag) in view.acknowledged() {
        match table.get(&id) {
            None => {
                found.insert(Violation::Lost { job: id, tag: tag.into() });
            }
            Some(job) if job.tag != tag => {
                let (acknowledged, there) = (tag.into(), job.tag.clone());
                found.insert(Violation::Another { job: id, acknowledged, found: there });
            }
            Some(_) => {}
        }
    }
    let mut by_tag: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (id, job) in table {
        by_tag.entry(&job.tag).or_default().push(*id);
        if view.submission(job).is_none() {
            found.insert(Violation::Invented { job: *id, tag: job.tag.clone() });
        }
    }
    let several = by_tag.into_iter().filter(|(_, jobs)| jobs.len() > 1);
    found.extend(several.map(|(tag, jobs)| Violation::Several { tag: tag.into(), jobs }));
    found.into_iter().collect()
}

/// Everything has ended, in a way that something explains, and with the result that it must have.
fn ends(view: &View, table: &Table) -> Vec<Violation> {
    let mut found = Vec::new();
    let (cancelled, given_up) = (view.cancelled(), leases::given_up(view));
    for (id, job) in table {
        if !job.is_final() {
            found.push(Violation::NotFinal { job: *id, state: job.state.clone() });
            continue;
        }
        let is_unknown = view.runs_once(job) && job.error.as_deref() == Some("outcome_unknown");
        let is_explained = match job.state.as_str() {
            "completed" => true,
            "cancelled" => cancelled.contains(id),
            _ => is_unknown || given_up.contains(id),
        };
        if !is_explained {
            let (state, error) = (job.state.clone(), job.error.clone());
            found.push(Violation::Unexplained { job: *id, state, error });
        }
        if view.runs_once(job) && job.attempt > 1 {
            found.push(Violation::RanTwice { job: *id });
        }
        let expected = view.submission(job).and_then(|submit| submit.result.as_ref());
        if job.state == "completed" && expected.is_some_and(|it| job.result.as_ref() != Some(it)) {
            found.push(Violation::OtherResult { job: *id });
        }
    }
    found
}

/// What an effect says of its attempt: the token of its lease, its number.
type Mark = (Option<i64>, Option<i64>);

/// Each effect belongs to an attempt, and each attempt has one at most.
fn effects(view: &View, table: &Table) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut by_job: BTreeMap<i64, Vec<Mark>> = BTreeMap::new();
    let mut begun = BTreeSet::new();
    for event in view.events {
        match event {
            Event::Start { job, token, .. } => {
                begun.insert((*job, *token));
            }
            Event::Effect { job, token, attempt } => {
                let had = by_job.entry(*job).or_default();
                let is_of_a_lease = token.is_none_or(|token| begun.contains(&(*job, token)));
                let last = table.get(job).map_or(0, |job| job.attempt);
                let is_of_an_attempt = attempt.is_none_or(|number| (1..=last).contains(&number));
                let is_first = !had.contains(&(*token, *attempt));
                if !(table.contains_key(job) && is_of_a_lease && is_of_an_attempt && is_first) {
                    found.push(Violation::EffectUnexplained { job: *job });
                }
                had.push((*token, *attempt));
            }
            _ => {}
        }
    }
    for (id, job) in table {
        let count = by_job.get(id).map_or(0, Vec::len);
        if view.runs_once(job) && count > 1 {
            found.push(Violation::RanTwice { job: *id });
        }
        let has_effect = view.submission(job).is_some_and(|submit| submit.has_effect);
        if has_effect && job.state == "completed" && count == 0 {
            found.push(Violation::EffectMissing { job: *id });
        }
    }
    found
}

/// What was acknowledged is found by all who ask after that, and an end is for ever.
fn reads(view: &View, table: &Table) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    let mut known_since: BTreeMap<i64, usize> = BTreeMap::new();
    for (id, at, _) in view.acknowledged() {
        let since = known_since.entry(id).or_insert(at);
        *since = at.min(*since);
    }
    for (sent, event) in view.events.iter().enumerate() {
        let (call, id) = match event {
            Event::Read { call, job } | Event::Cancel { call, job } => (*call, *job),
            _ => continue,
        };
        match view.answer(call) {
            Some((_, Event::Refused { status: 404, .. }))
                if known_since.get(&id).is_some_and(|since| *since < sent) =>
            {
                found.insert(Violation::NotFound { job: id });
            }
            Some((_, Event::Seen { state, .. } | Event::Cancelled { state, .. })) => {
                let now = table.get(&id).map(|job| &job.state).filter(|now| *now != state);
                if let Some(now) = now.filter(|_| is_final(state)) {
                    let (seen, now) = (state.clone(), now.clone());
                    found.insert(Violation::EndChanged { job: id, seen, found: now });
                }
            }
            _ => {}
        }
    }
    found.into_iter().collect()
}
