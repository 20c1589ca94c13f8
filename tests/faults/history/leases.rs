//! What a history shows of leases: tokens rise, a late finish is refused, one outcome stands.

use std::collections::{BTreeMap, BTreeSet};

use super::check::View;
use super::table::Table;
use super::violation::Violation;
use super::{Event, Hash, Held};

/// A lease that a worker was granted.
#[derive(Clone, Copy)]
struct Granted {
    token: i64,
    /// Where it was asked for, and where it came.
    sent: usize,
    answered: usize,
}

/// A finish and what came of it.
struct Finish<'a> {
    job: i64,
    token: i64,
    action: &'a str,
    result: Option<&'a Hash>,
    sent: usize,
    /// Where its answer stands.
    answered: usize,
    answer: Answer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    Repeated,
    Refused,
    Unknown,
}

/// The jobs that a worker said have failed, whether it was heard or not.
pub(super) fn given_up(view: &View) -> BTreeSet<i64> {
    let finishes = finishes(view).into_iter();
    finishes.filter(|finish| finish.action == "fail").map(|finish| finish.job).collect()
}

/// Everything in which leases break a promise.
pub(super) fn check(view: &View, table: &Table) -> Vec<Violation> {
    let granted = granted(view);
    let finishes = finishes(view);
    let mut found = BTreeSet::new();
    for (job, leases) in &granted {
        found.extend(tokens(*job, leases));
    }
    for finish in &finishes {
        let superseded = granted.get(&finish.job).into_iter().flatten();
        let is_stale = superseded
            .into_iter()
            .any(|lease| lease.token > finish.token && lease.answered < finish.sent);
        let (job, token) = (finish.job, finish.token);
        match finish.answer {
            Answer::Accepted if is_stale => {
                found.insert(Violation::StaleAccepted { job, token });
            }
            // A release wishes no more than that the lease is held no longer. Where a rescue has seen
            // to that, and what it left is what the release would have left, that is all the same.
            Answer::Repeated if finish.action == "release" => {}
            Answer::Repeated if !finishes.iter().any(|other| is_repeat(finish, other)) => {
                found.insert(Violation::RepeatedNothing { job, token });
            }
            _ => {}
        }
    }
    found.extend(outcomes(&finishes));
    found.extend(leased_after_end(&finishes, &granted));
    found.extend(results(&finishes, table));
    found.into_iter().collect()
}

/// Whether `finish`, when it was answered, said what `other` had said, which may have been heard. Of
/// two that are under way at once either may come first.
fn is_repeat(finish: &Finish, other: &Finish) -> bool {
    let what = |finish: &Finish| (finish.job, finish.token, finish.action.to_owned());
    other.sent != finish.sent
        && other.sent < finish.answered
        && other.answer != Answer::Refused
        && what(other) == what(finish)
        && other.result == finish.result
}

fn granted(view: &View) -> BTreeMap<i64, Vec<Granted>> {
    let mut granted: BTreeMap<i64, Vec<Granted>> = BTreeMap::new();
    for (sent, event) in view.events.iter().enumerate() {
        let Event::Lease { call, .. } = event else { continue };
        let Some((answered, Event::Leased { leases, .. })) = view.answer(*call) else { continue };
        for Held { job, token } in leases {
            granted.entry(*job).or_default().push(Granted { token: *token, sent, answered });
        }
    }
    granted
}

fn finishes<'a>(view: &View<'a>) -> Vec<Finish<'a>> {
    let mut finishes = Vec::new();
    for (sent, event) in view.events.iter().enumerate() {
        let Event::Finish { call, job, token, action, result } = event else { continue };
        let (answered, answer) = match view.answer(*call) {
            Some((at, Event::Finished { is_repeated: false, .. })) => (at, Answer::Accepted),
            Some((at, Event::Finished { is_repeated: true, .. })) => (at, Answer::Repeated),
            Some((at, Event::Refused { .. })) => (at, Answer::Refused),
            Some((at, _)) => (at, Answer::Unknown),
            None => (usize::MAX, Answer::Unknown),
        };
        let (job, token, result) = (*job, *token, result.as_ref());
        finishes.push(Finish { job, token, action, result, sent, answered, answer });
    }
    finishes
}

/// A lease that was asked for after another had come has a higher token, and no two have one.
fn tokens(job: i64, leases: &[Granted]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, lease) in leases.iter().enumerate() {
        for later in &leases[at + 1..] {
            if lease.token == later.token {
                found.push(Violation::TokenTwice { job, token: lease.token });
            } else if lease.answered < later.sent && lease.token > later.token {
                let (before, after) = (lease.token, later.token);
                found.push(Violation::TokenFell { job, before, after });
            }
        }
    }
    found
}

/// A lease is finished once, and a job completed once.
fn outcomes(finishes: &[Finish]) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut finished, mut completed) = (BTreeSet::new(), BTreeSet::new());
    for finish in finishes.iter().filter(|finish| finish.answer == Answer::Accepted) {
        let (job, token) = (finish.job, finish.token);
        let is_first = finished.insert((job, token));
        let is_only = finish.action != "complete" || completed.insert(job);
        if !(is_first && is_only) {
            found.push(Violation::FinishedTwice { job, token });
        }
    }
    found
}

/// What is completed, and its worker knows, is leased no more.
fn leased_after_end(finishes: &[Finish], granted: &BTreeMap<i64, Vec<Granted>>) -> Vec<Violation> {
    let is_end = |it: &&Finish| it.action == "complete" && it.answer == Answer::Accepted;
    let mut found = Vec::new();
    for Finish { job, answered, .. } in finishes.iter().filter(is_end) {
        let leases = granted.get(job).into_iter().flatten();
        let later = leases.filter(|lease| *answered < lease.sent);
        found
            .extend(later.map(|lease| Violation::LeasedAfterEnd { job: *job, token: lease.token }));
    }
    found
}

/// A job that workers completed has the result that was accepted, or one whose answer is unknown.
fn results(finishes: &[Finish], table: &Table) -> Vec<Violation> {
    let mut by_job: BTreeMap<i64, Vec<&Finish>> = BTreeMap::new();
    for finish in finishes.iter().filter(|finish| finish.action == "complete") {
        by_job.entry(finish.job).or_default().push(finish);
    }
    let mut found = Vec::new();
    for (id, finishes) in by_job {
        let Some(job) = table.get(&id) else { continue };
        let accepted = finishes.iter().find(|finish| finish.answer == Answer::Accepted);
        let is_right = match accepted {
            Some(accepted) => job.result.as_ref() == accepted.result,
            None if job.state != "completed" => true,
            None => finishes.iter().any(|finish| {
                finish.answer != Answer::Refused && finish.result == job.result.as_ref()
            }),
        };
        if !is_right {
            found.push(Violation::OtherResult { job: id });
        }
    }
    found
}
