//! The part of the check about follow-up jobs: each completed job that has one has it exactly once, and no
//! other job has one.

use std::collections::BTreeMap;

use super::check::HistoryView;
use super::table::Table;
use super::violation::Violation;

/// Follow-up jobs that exist, by the tag that the submission of their cause names.
type FollowUps<'a> = BTreeMap<&'a str, Vec<i64>>;

fn follow_ups<'a>(view: &HistoryView<'a>, table: &'a Table) -> FollowUps<'a> {
    let mut found = FollowUps::new();
    for (id, job) in table.iter().filter(|(_, job)| view.is_follow_up(job)) {
        found.entry(&job.tag).or_default().push(*id);
    }
    found
}

/// Returns whether any job has its follow-up job.
pub(super) fn exist(view: &HistoryView, table: &Table) -> bool {
    !follow_ups(view, table).is_empty()
}

/// Checks the number of follow-up jobs, and that each has the result of its cause.
pub(super) fn check(view: &HistoryView, table: &Table) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut left = follow_ups(view, table);
    let causes = table.iter().filter(|(_, job)| job.state == "completed");
    for (id, job) in causes {
        let Some(tag) = view.submission(job).and_then(|submit| submit.follow_up.as_ref()) else {
            continue;
        };
        match left.remove(tag.as_str()).as_deref() {
            None => violations.push(Violation::FollowUpMissing { job: *id }),
            Some([one]) if table[one].state == "completed" && table[one].result != job.result => {
                violations.push(Violation::WrongResult { job: *one });
            }
            Some([_]) => {}
            Some(several) => {
                let follow_ups = several.to_vec();
                violations.push(Violation::FollowUpTwice { job: *id, follow_ups });
            }
        }
    }
    let uncaused = left.into_values().flatten();
    violations.extend(uncaused.map(|job| Violation::FollowUpUncaused { job }));
    violations
}
