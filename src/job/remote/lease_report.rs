//! What remote workers tell of their leases.

use serde::{Deserialize, Serialize};

use super::check_lease;
use crate::job::lease::{Lease, LeaseToken};
use crate::job::log::Log;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::payload::Json;
use crate::job::problem::Problem;
use crate::job::retry::Backoff;
use crate::job::time::Span;
use crate::job::{JobError, JobId, Progress};

/// What a remote worker does with a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckedLeaseAction {
    /// It goes on.
    Renew {
        /// How long the lease lasts from now; as configured if left out.
        lease: Option<Span>,
        /// How far it is.
        progress: Option<Progress>,
    },
    /// It has ended, one way or another.
    Finish(Outcome),
}

/// The word for an [`CheckedLeaseAction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseAction {
    /// Goes on.
    Renew,
    /// Ended well.
    Complete,
    /// Ended badly.
    Fail,
    /// Gives the job back.
    Release,
}

/// What a remote worker says of a lease. Most fields belong to one [`LeaseAction`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseReport {
    /// Which job, where it is one among many.
    pub id: Option<JobId>,
    /// What it does, where it is one among many.
    pub action: Option<LeaseAction>,
    /// The fencing number of the lease.
    pub lease_token: Option<LeaseToken>,
    /// Complete: what it gave, `null` if left out.
    pub result: Option<Json>,
    /// Fail: why.
    pub error: Option<ReportedError>,
    /// Fail: whether another attempt may help, which it may if left out.
    pub retryable: Option<bool>,
    /// Fail: when the next attempt is to begin; else the backoff tells.
    pub retry_in: Option<Span>,
    /// Release: whether anything of it was done, as is taken if left out.
    pub begun: Option<bool>,
    /// Renew: how long the lease lasts from now.
    pub lease: Option<Span>,
    /// Renew: how far it is.
    pub progress: Option<ReportedProgress>,
    /// With any: lines for the job's log, of which the last 64 KiB are kept.
    pub log: Option<String>,
}

/// What was said of a lease, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedLeaseReport {
    /// Which lease.
    pub lease: Lease,
    /// What is done with it.
    pub action: CheckedLeaseAction,
    /// Lines for the job's log; empty where there are none.
    pub log: Log,
}

/// Why an attempt failed, as its worker tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedError {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
}

/// How far an attempt is, as its worker tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedProgress {
    /// 0 to 100.
    pub percent: f64,
    /// What it is doing.
    #[serde(default)]
    pub message: Option<String>,
}

impl LeaseReport {
    /// Checks what is said of the lease of `job`, where job and action are known from elsewhere.
    /// Results are held to `max_result_bytes`.
    ///
    /// # Errors
    /// Every problem found, each with its place.
    pub fn check_one(
        self,
        job: JobId,
        action: LeaseAction,
        max_result_bytes: usize,
    ) -> Result<CheckedLeaseReport, Vec<Problem>> {
        let twice = [("/id", self.id.is_some()), ("/action", self.action.is_some())];
        let twice = twice.into_iter().filter(|(_, is_there)| *is_there);
        let problems = twice.map(|(place, _)| Problem::new(place, "stands in the path")).collect();
        self.check(Some(job), Some(action), max_result_bytes, problems)
    }

    /// Checks what is said of one lease among many.
    ///
    /// # Errors
    /// Every problem found, each with its place.
    pub fn check_many(self, max_result_bytes: usize) -> Result<CheckedLeaseReport, Vec<Problem>> {
        let (job, action) = (self.id, self.action);
        self.check(job, action, max_result_bytes, Vec::new())
    }

    fn check(
        self,
        job: Option<JobId>,
        action: Option<LeaseAction>,
        max_result_bytes: usize,
        mut problems: Vec<Problem>,
    ) -> Result<CheckedLeaseReport, Vec<Problem>> {
        let token = self.lease_token;
        let mut log = Log::default();
        log.push_lines(self.log.as_deref().unwrap_or_default());
        for (place, is_there) in [
            ("/id", job.is_some()),
            ("/action", action.is_some()),
            ("/lease_token", token.is_some()),
        ] {
            if !is_there {
                problems.push(Problem::new(place, "is missing"));
            }
        }
        let action = action.map(|action| self.action(action, max_result_bytes, &mut problems));
        match (job, token, action) {
            (Some(job), Some(token), Some(action)) if problems.is_empty() => {
                Ok(CheckedLeaseReport { lease: Lease { job, token }, action, log })
            }
            _ => Err(problems),
        }
    }

    fn action(
        self,
        action: LeaseAction,
        max_result_bytes: usize,
        problems: &mut Vec<Problem>,
    ) -> CheckedLeaseAction {
        problems.extend(self.fields_of_other_actions(action));
        match action {
            LeaseAction::Complete => self.completed(max_result_bytes, problems),
            LeaseAction::Fail => self.failed(problems),
            LeaseAction::Release => {
                let is_begun = self.begun.unwrap_or(true);
                CheckedLeaseAction::Finish(if is_begun {
                    Outcome::Released
                } else {
                    Outcome::NotBegun
                })
            }
            LeaseAction::Renew => self.renewed(problems),
        }
    }

    /// The fields that belong to another action.
    fn fields_of_other_actions(&self, action: LeaseAction) -> Vec<Problem> {
        let fields = [
            ("/result", LeaseAction::Complete, self.result.is_some()),
            ("/error", LeaseAction::Fail, self.error.is_some()),
            ("/retryable", LeaseAction::Fail, self.retryable.is_some()),
            ("/retry_in", LeaseAction::Fail, self.retry_in.is_some()),
            ("/begun", LeaseAction::Release, self.begun.is_some()),
            ("/lease", LeaseAction::Renew, self.lease.is_some()),
            ("/progress", LeaseAction::Renew, self.progress.is_some()),
        ];
        let foreign = fields.into_iter().filter(|(_, home, is_there)| *is_there && *home != action);
        foreign.map(|(place, home, _)| Problem::new(place, format!("belongs to {home}"))).collect()
    }

    fn completed(self, max_result_bytes: usize, problems: &mut Vec<Problem>) -> CheckedLeaseAction {
        let json = self.result.unwrap_or_default();
        if let Err(problem) = Json::checked(json.as_str()) {
            problems.push(problem.under("/result"));
        }
        CheckedLeaseAction::Finish(Outcome::Completed(
            JobResult::whole(json).capped(max_result_bytes),
        ))
    }

    fn failed(self, problems: &mut Vec<Problem>) -> CheckedLeaseAction {
        let retryable = self.retryable.unwrap_or(true);
        if self.retry_in.is_some_and(|span| span > Backoff::MAX) {
            problems.push(Problem::new("/retry_in", format!("is at most {}", Backoff::MAX)));
        }
        if self.retry_in.is_some() && !retryable {
            problems.push(Problem::new("/retry_in", "is for what is retryable"));
        }
        let error = match self.error {
            None => {
                problems
                    .push(Problem::new("/error", "says why: {\"code\": ..., \"message\": ...}"));
                JobError::new("", "")
            }
            Some(ReportedError { code, message }) => {
                let length = 1..=JobError::MAX_CODE_LEN;
                if !length.contains(&code.len()) || code.chars().any(char::is_control) {
                    let most = JobError::MAX_CODE_LEN;
                    let why = format!("is 1 to {most} bytes without control characters");
                    problems.push(Problem::new("/error/code", why));
                }
                JobError::new(code, message)
            }
        };
        CheckedLeaseAction::Finish(Outcome::Failed { error, retryable, retry_in: self.retry_in })
    }

    fn renewed(self, problems: &mut Vec<Problem>) -> CheckedLeaseAction {
        if let Some(lease) = self.lease {
            check_lease(lease, problems);
        }
        let progress = self.progress.map(|told| {
            if !(0.0..=100.0).contains(&told.percent) {
                problems.push(Problem::new("/progress/percent", "lies between 0 and 100"));
            }
            Progress::new(told.percent, told.message.unwrap_or_default())
        });
        CheckedLeaseAction::Renew { lease: self.lease, progress }
    }
}

impl std::fmt::Display for LeaseAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Renew => "renew",
            Self::Complete => "complete",
            Self::Fail => "fail",
            Self::Release => "release",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json;

    fn places<T: std::fmt::Debug>(checked: Result<T, Vec<Problem>>) -> Vec<String> {
        checked.unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    fn check(action: LeaseAction, text: &str) -> Result<CheckedLeaseAction, Vec<Problem>> {
        let told: LeaseReport = parse_json(text.as_bytes()).unwrap();
        let told = LeaseReport { lease_token: Some(LeaseToken(1)), ..told };
        told.check_one(JobId(1), action, 10).map(|heard| heard.action)
    }

    #[test]
    fn what_belongs_to_another_action_is_refused() {
        let text = r#"{"result": 1, "error": {"code": "a"}, "begun": true, "lease": "1m"}"#;
        assert_eq!(places(check(LeaseAction::Release, text)), ["/result", "/error", "/lease"]);
        let text = r#"{"error": {"code": ""}, "retryable": false, "retry_in": "25h"}"#;
        assert_eq!(
            places(check(LeaseAction::Fail, text)),
            ["/retry_in", "/retry_in", "/error/code"]
        );
        assert_eq!(places(check(LeaseAction::Fail, "{}")), ["/error"]);
        let text = r#"{"lease": "25h", "progress": {"percent": 101}}"#;
        assert_eq!(places(check(LeaseAction::Renew, text)), ["/lease", "/progress/percent"]);
    }

    #[test]
    fn one_among_many_names_its_job_its_token_and_its_action() {
        assert_eq!(
            places(LeaseReport::default().check_many(10)),
            ["/id", "/action", "/lease_token"]
        );
        let told = LeaseReport { id: Some(JobId(2)), ..LeaseReport::default() };
        let expected = ["/id", "/lease_token"];
        assert_eq!(places(told.check_one(JobId(1), LeaseAction::Release, 10)), expected);
    }

    #[test]
    fn a_result_is_held_to_its_bound() {
        let Ok(CheckedLeaseAction::Finish(Outcome::Completed(result))) =
            check(LeaseAction::Complete, r#"{"result": "0123456789"}"#)
        else {
            panic!("not completed");
        };
        assert!(result.truncated);
        assert_eq!(places(check(LeaseAction::Complete, r#"{"result": "\ud800"}"#)), ["/result"]);
    }

    #[test]
    fn what_is_logged_are_lines_whatever_else_is_told() {
        let told = LeaseReport { lease_token: Some(LeaseToken(1)), ..LeaseReport::default() };
        let said = LeaseReport { log: Some("one\ntwo".into()), ..told.clone() };
        let log = said.check_one(JobId(1), LeaseAction::Release, 10).unwrap().log;
        assert_eq!(log, Log::new("one\ntwo\n".into()));
        assert!(told.check_one(JobId(1), LeaseAction::Release, 10).unwrap().log.is_empty());
    }
}
