//! Tests of the checker for follow-up jobs.

use super::super::table::StoredJob;
use super::super::violation::{Operation, Violation};
use super::{Broken, real};
use crate::load::FOLLOW_UP;

impl Broken {
    /// Returns a completed job and its follow-up job.
    fn cause(&self) -> (i64, i64) {
        let job = self.any_completed(|submit| submit.follow_up.is_some() && !submit.has_effect);
        (job, self.follow_up(job).unwrap())
    }

    fn follow_up(&self, job: i64) -> Option<i64> {
        let tag = format!("{}{FOLLOW_UP}", self.observed.table[&job].tag);
        self.observed.table.iter().find(|(_, found)| found.tag == tag).map(|(id, _)| *id)
    }

    pub(super) fn has_follow_up(&self, job: i64) -> bool {
        self.follow_up(job).is_some()
    }
}

#[test]
fn a_completed_job_without_its_follow_up_job_is_reported() {
    let mut broken = real();
    let (job, follow_up) = broken.cause();
    broken.observed.table.remove(&follow_up);
    broken.expect(&[Violation::FollowUpMissing { job }]);
}

#[test]
fn a_second_follow_up_job_is_reported() {
    let mut broken = real();
    let (job, follow_up) = broken.cause();
    let twin = broken.job(follow_up).clone();
    broken.observed.table.insert(1_000_000, twin);
    broken.expect(&[Violation::FollowUpTwice { job, follow_ups: vec![follow_up, 1_000_000] }]);
}

#[test]
fn a_follow_up_job_of_a_job_that_does_not_exist_or_has_not_completed_is_reported() {
    let mut broken = real();
    let (job, follow_up) = broken.cause();
    let StoredJob { state, error, .. } = broken.job(job);
    (*state, *error) = ("failed".into(), Some("lost".into()));
    let error = Some("lost".into());
    broken.expect(&[
        Violation::Unexplained { job, state: "failed".into(), error },
        Violation::FollowUpUncaused { job: follow_up },
    ]);
    let tag = broken.observed.table.remove(&job).unwrap().tag;
    broken.expect(&[Violation::Lost { job, tag }, Violation::FollowUpUncaused { job: follow_up }]);
}

#[test]
fn a_follow_up_job_with_another_result_is_reported() {
    let mut broken = real();
    let (_, follow_up) = broken.cause();
    broken.job(follow_up).result = Some("another".into());
    broken.expect(&[Violation::WrongResult { job: follow_up }]);
}

#[test]
fn a_run_without_follow_up_jobs_proves_nothing() {
    let mut broken = real();
    for event in &mut broken.observed.history {
        if let super::Event::Submit(submit) = event {
            submit.follow_up = None;
        }
    }
    broken.observed.table.retain(|_, job| !job.tag.ends_with(FOLLOW_UP));
    broken.expect(&[Violation::NeverSucceeded { operation: Operation::FollowUp }]);
}
