//! Checks the leases in a history: tokens rise, late finishes are refused, each lease has one outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::check::HistoryView;
use super::table::Table;
use super::violation::Violation;
use super::{Event, Hash, HeldLease};

/// Lease that was granted to a worker.
#[derive(Clone, Copy)]
struct GrantedLease {
    token: i64,
    /// Index of the lease request.
    sent: usize,
    /// Index of its answer.
    answered: usize,
}

/// A finish and its answer.
struct Finish<'a> {
    job: i64,
    token: i64,
    action: &'a str,
    result: Option<&'a Hash>,
    /// Index of the request.
    sent: usize,
    /// Index of the answer.
    answered: usize,
    answer: FinishAnswer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FinishAnswer {
    Accepted,
    Repeated,
    Refused,
    Unknown,
}

/// Returns the jobs that a worker reported as failed, whatever the answer was.
pub(super) fn failed_by_workers(view: &HistoryView) -> BTreeSet<i64> {
    let finishes = finishes(view).into_iter();
    finishes.filter(|finish| finish.action == "fail").map(|finish| finish.job).collect()
}

/// Returns every violation of a promise by leases.
pub(super) fn check(view: &HistoryView, table: &Table) -> Vec<Violation> {
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
            FinishAnswer::Accepted if is_stale => {
                found.insert(Violation::StaleAccepted { job, token });
            }
            // A release only asks that the lease is not held any more. A release after a rescue may be
            // answered as repeated, because the job is as the release would have left it.
            FinishAnswer::Repeated if finish.action == "release" => {}
            FinishAnswer::Repeated if !finishes.iter().any(|other| is_repeat(finish, other)) => {
                found.insert(Violation::FalseRepeat { job, token });
            }
            _ => {}
        }
    }
    found.extend(outcomes(&finishes));
    found.extend(leased_after_end(&finishes, &granted));
    found.extend(results(&finishes, table));
    found.into_iter().collect()
}

/// Returns whether `finish` repeats `other`, which the server may have accepted by then.
///
/// The server may process two concurrent finishes in either order, so it is enough that `other` was
/// sent before `finish` was answered.
fn is_repeat(finish: &Finish, other: &Finish) -> bool {
    let key = |finish: &Finish| (finish.job, finish.token, finish.action.to_owned());
    other.sent != finish.sent
        && other.sent < finish.answered
        && other.answer != FinishAnswer::Refused
        && key(other) == key(finish)
        && other.result == finish.result
}

fn granted(view: &HistoryView) -> BTreeMap<i64, Vec<GrantedLease>> {
    let mut granted: BTreeMap<i64, Vec<GrantedLease>> = BTreeMap::new();
    for (sent, event) in view.events.iter().enumerate() {
        let Event::Lease { call, .. } = event else { continue };
        let Some((answered, Event::Leased { leases, .. })) = view.answer(*call) else { continue };
        for HeldLease { job, token } in leases {
            granted.entry(*job).or_default().push(GrantedLease { token: *token, sent, answered });
        }
    }
    granted
}

fn finishes<'a>(view: &HistoryView<'a>) -> Vec<Finish<'a>> {
    let mut finishes = Vec::new();
    for (sent, event) in view.events.iter().enumerate() {
        let Event::Finish { call, job, token, action, result } = event else { continue };
        let (answered, answer) = match view.answer(*call) {
            Some((at, Event::Finished { is_repeated: false, .. })) => (at, FinishAnswer::Accepted),
            Some((at, Event::Finished { is_repeated: true, .. })) => (at, FinishAnswer::Repeated),
            Some((at, Event::Refused { .. })) => (at, FinishAnswer::Refused),
            Some((at, _)) => (at, FinishAnswer::Unknown),
            None => (usize::MAX, FinishAnswer::Unknown),
        };
        let (job, token, result) = (*job, *token, result.as_ref());
        finishes.push(Finish { job, token, action, result, sent, answered, answer });
    }
    finishes
}

/// Checks that a lease has a higher token than each lease of the job that was granted before it was
/// requested, and that no two leases of the job have the same token.
fn tokens(job: i64, leases: &[GrantedLease]) -> Vec<Violation> {
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

/// Checks that each lease is finished once, and that each job is completed once.
fn outcomes(finishes: &[Finish]) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut finished, mut completed) = (BTreeSet::new(), BTreeSet::new());
    for finish in finishes.iter().filter(|finish| finish.answer == FinishAnswer::Accepted) {
        let (job, token) = (finish.job, finish.token);
        let is_first = finished.insert((job, token));
        let is_only = finish.action != "complete" || completed.insert(job);
        if !(is_first && is_only) {
            found.push(Violation::FinishedTwice { job, token });
        }
    }
    found
}

/// Checks that a job is not leased again after its completion was acknowledged to a worker.
fn leased_after_end(
    finishes: &[Finish],
    granted: &BTreeMap<i64, Vec<GrantedLease>>,
) -> Vec<Violation> {
    let is_end = |it: &&Finish| it.action == "complete" && it.answer == FinishAnswer::Accepted;
    let mut found = Vec::new();
    for Finish { job, answered, .. } in finishes.iter().filter(is_end) {
        let leases = granted.get(job).into_iter().flatten();
        let later = leases.filter(|lease| *answered < lease.sent);
        found
            .extend(later.map(|lease| Violation::LeasedAfterEnd { job: *job, token: lease.token }));
    }
    found
}

/// Checks that a job completed by a worker has the result that was accepted. If no finish is known to
/// be accepted, it must be the result of one that was not refused.
fn results(finishes: &[Finish], table: &Table) -> Vec<Violation> {
    let mut by_job: BTreeMap<i64, Vec<&Finish>> = BTreeMap::new();
    for finish in finishes.iter().filter(|finish| finish.action == "complete") {
        by_job.entry(finish.job).or_default().push(finish);
    }
    let mut found = Vec::new();
    for (id, finishes) in by_job {
        let Some(job) = table.get(&id) else { continue };
        let accepted = finishes.iter().find(|finish| finish.answer == FinishAnswer::Accepted);
        let is_right = match accepted {
            Some(accepted) => job.result.as_ref() == accepted.result,
            None if job.state != "completed" => true,
            None => finishes.iter().any(|finish| {
                finish.answer != FinishAnswer::Refused && finish.result == job.result.as_ref()
            }),
        };
        if !is_right {
            found.push(Violation::WrongResult { job: id });
        }
    }
    found
}
