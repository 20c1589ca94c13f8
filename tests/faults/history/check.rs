//! Compares a history with the jobs that the server has at the end.
//!
//! The check is a pure function. A request with an unknown outcome may have had its effect or not;
//! an acknowledged request must have had it.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{StoredJob, Table, is_final};
use super::violation::{Operation, Violation};
use super::{Event, Submit, follow_ups, leases};

/// Returns every violation of a promise that the history and the table show.
///
/// Each operation in `demanded` must have succeeded at least once, because an operation that never
/// happened proves nothing.
pub(crate) fn check(events: &[Event], table: &Table, demanded: &[Operation]) -> Vec<Violation> {
    let view = HistoryView::of(events);
    let mut found = BTreeSet::new();
    found.extend(submissions(&view, table));
    found.extend(final_states(&view, table));
    found.extend(leases::check(&view, table));
    found.extend(effects(&view, table));
    found.extend(reads(&view, table));
    found.extend(follow_ups::check(&view, table));
    let mut succeeded = view.succeeded();
    if follow_ups::exist(&view, table) {
        succeeded.insert(Operation::FollowUp);
    }
    let missing = demanded.iter().filter(|operation| !succeeded.contains(operation));
    found.extend(missing.map(|operation| Violation::NeverSucceeded { operation: *operation }));
    found.into_iter().collect()
}

/// A history with an index of its answers and submissions.
pub(super) struct HistoryView<'a> {
    pub(super) events: &'a [Event],
    /// Index of the answer to each call.
    answers: BTreeMap<u64, usize>,
    /// Submissions by the tag of their job; the first one if it was repeated with its key.
    by_tag: BTreeMap<&'a str, &'a Submit>,
    /// Tags of the follow-up jobs that the submissions name.
    follow_ups: BTreeSet<&'a str>,
}

impl<'a> HistoryView<'a> {
    fn of(events: &'a [Event]) -> Self {
        let (answers, by_tag, follow_ups) = Default::default();
        let mut view = Self { events, answers, by_tag, follow_ups };
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Submit(submit) => {
                    view.by_tag.entry(&submit.tag).or_insert(submit);
                    view.follow_ups.extend(submit.follow_up.as_deref());
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

    /// Returns the answer to a call and its index, or `None` if the history has no answer.
    pub(super) fn answer(&self, call: u64) -> Option<(usize, &'a Event)> {
        self.answers.get(&call).map(|at| (*at, &self.events[*at]))
    }

    /// Returns the submission with the tag of a job.
    pub(super) fn submission(&self, job: &StoredJob) -> Option<&'a Submit> {
        self.by_tag.get(job.tag.as_str()).copied()
    }

    /// Returns whether a job is the follow-up job of another one.
    pub(super) fn is_follow_up(&self, job: &StoredJob) -> bool {
        self.follow_ups.contains(job.tag.as_str())
    }

    /// Returns whether a job was submitted with `at_most_once`.
    fn is_at_most_once(&self, job: &StoredJob) -> bool {
        self.submission(job).is_some_and(|submit| submit.at_most_once)
    }

    /// Returns the id of each acknowledged job, the index of the acknowledgement, and the tag.
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

/// Checks that acknowledged jobs exist, that existing jobs were submitted, and that each submission
/// has one job.
fn submissions(view: &HistoryView, table: &Table) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    for (id, _, tag) in view.acknowledged() {
        match table.get(&id) {
            None => {
                found.insert(Violation::Lost { job: id, tag: tag.into() });
            }
            Some(job) if job.tag != tag => {
                let (acknowledged, actual) = (tag.into(), job.tag.clone());
                found.insert(Violation::DifferentJob { job: id, acknowledged, found: actual });
            }
            Some(_) => {}
        }
    }
    let mut by_tag: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (id, job) in table.iter().filter(|(_, job)| !view.is_follow_up(job)) {
        by_tag.entry(&job.tag).or_default().push(*id);
        if view.submission(job).is_none() {
            found.insert(Violation::Invented { job: *id, tag: job.tag.clone() });
        }
    }
    let duplicates = by_tag.into_iter().filter(|(_, jobs)| jobs.len() > 1);
    found.extend(duplicates.map(|(tag, jobs)| Violation::Duplicates { tag: tag.into(), jobs }));
    found.into_iter().collect()
}

/// Checks that every job is final, that a request or a fault explains how it ended, and that it has
/// the expected result.
fn final_states(view: &HistoryView, table: &Table) -> Vec<Violation> {
    let mut found = Vec::new();
    let (cancelled, failed) = (view.cancelled(), leases::failed_by_workers(view));
    for (id, job) in table {
        if !job.is_final() {
            found.push(Violation::NotFinal { job: *id, state: job.state.clone() });
            continue;
        }
        let is_unknown =
            view.is_at_most_once(job) && job.error.as_deref() == Some("outcome_unknown");
        let is_explained = match job.state.as_str() {
            "completed" => true,
            "cancelled" => cancelled.contains(id),
            _ => is_unknown || failed.contains(id),
        };
        if !is_explained {
            let (state, error) = (job.state.clone(), job.error.clone());
            found.push(Violation::Unexplained { job: *id, state, error });
        }
        if view.is_at_most_once(job) && job.attempt > 1 {
            found.push(Violation::RanTwice { job: *id });
        }
        let expected = view.submission(job).and_then(|submit| submit.result.as_ref());
        if job.state == "completed" && expected.is_some_and(|it| job.result.as_ref() != Some(it)) {
            found.push(Violation::WrongResult { job: *id });
        }
    }
    found
}

/// Token of the lease and number of the attempt that an effect belongs to. One of them is set.
type EffectSource = (Option<i64>, Option<i64>);

/// Checks that each effect belongs to an attempt, that each attempt has at most one effect, and that
/// jobs have their effects.
fn effects(view: &HistoryView, table: &Table) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut by_job: BTreeMap<i64, Vec<EffectSource>> = BTreeMap::new();
    let mut started = BTreeSet::new();
    for event in view.events {
        match event {
            Event::Start { job, token, .. } => {
                started.insert((*job, *token));
            }
            Event::Effect { job, token, attempt } => {
                let earlier = by_job.entry(*job).or_default();
                let is_of_a_lease = token.is_none_or(|token| started.contains(&(*job, token)));
                let last = table.get(job).map_or(0, |job| job.attempt);
                let is_of_an_attempt = attempt.is_none_or(|number| (1..=last).contains(&number));
                let is_first = !earlier.contains(&(*token, *attempt));
                if !(table.contains_key(job) && is_of_a_lease && is_of_an_attempt && is_first) {
                    found.push(Violation::EffectUnexplained { job: *job });
                }
                earlier.push((*token, *attempt));
            }
            _ => {}
        }
    }
    for (id, job) in table {
        let count = by_job.get(id).map_or(0, Vec::len);
        if view.is_at_most_once(job) && count > 1 {
            found.push(Violation::RanTwice { job: *id });
        }
        let has_effect = view.submission(job).is_some_and(|submit| submit.has_effect);
        if has_effect && job.state == "completed" && count == 0 {
            found.push(Violation::EffectMissing { job: *id });
        }
    }
    found
}

/// Checks that reads after the acknowledgement find the job, and that a final state that a client has
/// seen is the one that is stored.
fn reads(view: &HistoryView, table: &Table) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    let mut acknowledged_at: BTreeMap<i64, usize> = BTreeMap::new();
    for (id, at, _) in view.acknowledged() {
        let since = acknowledged_at.entry(id).or_insert(at);
        *since = at.min(*since);
    }
    for (sent, event) in view.events.iter().enumerate() {
        let (call, id) = match event {
            Event::Read { call, job } | Event::Cancel { call, job } => (*call, *job),
            _ => continue,
        };
        match view.answer(call) {
            Some((_, Event::Refused { status: 404, .. }))
                if acknowledged_at.get(&id).is_some_and(|since| *since < sent) =>
            {
                found.insert(Violation::NotFound { job: id });
            }
            Some((_, Event::Seen { state, .. } | Event::Cancelled { state, .. })) => {
                let now = table.get(&id).map(|job| &job.state).filter(|now| *now != state);
                if let Some(now) = now.filter(|_| is_final(state)) {
                    let (seen, now) = (state.clone(), now.clone());
                    found.insert(Violation::FinalStateChanged { job: id, seen, found: now });
                }
            }
            _ => {}
        }
    }
    found.into_iter().collect()
}
