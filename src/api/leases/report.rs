//! Reports of remote workers on their leases, and their validation.

use serde::{Deserialize, Serialize};

use crate::api::leases::request::check_lease;
use crate::job::lease::{Lease, LeaseToken};
use crate::job::log::Log;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::payload::Json;
use crate::job::problem::Problem;
use crate::job::retry::{Backoff, Pause};
use crate::job::time::Span;
use crate::job::{JobError, JobId, Progress};

/// Validated action of a remote worker on a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckedLeaseAction {
    /// Renews the lease because the attempt is still running.
    Renew {
        /// Duration of the lease from now; `None` for the configured duration.
        lease: Option<Span>,
        /// Progress of the attempt.
        progress: Option<Progress>,
    },
    /// Reports how the attempt ended.
    Finish(Outcome),
}

/// Name of an action on a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseAction {
    /// Renews the lease because the attempt is still running.
    Renew,
    /// Reports that the attempt succeeded.
    Complete,
    /// Reports that the attempt failed.
    Fail,
    /// Returns the job unfinished; the attempt does not count.
    Release,
}

/// Report of a remote worker on a lease. Most fields belong to one [`LeaseAction`] and are refused
/// with any other.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an object with lease_token")]
pub struct LeaseReport {
    /// Id of the job; only in a list of reports.
    pub id: Option<JobId>,
    /// Action to take; only in a list of reports.
    pub action: Option<LeaseAction>,
    /// Fencing token of the lease; required.
    pub lease_token: Option<LeaseToken>,
    /// Complete: result of the job; `null` by default.
    pub result: Option<Json>,
    /// Fail: error that ended the attempt; required.
    pub error: Option<ReportedError>,
    /// Fail: whether another attempt may succeed; `true` by default.
    pub retryable: Option<bool>,
    /// Fail: pause before the next attempt; by default the job's backoff decides.
    pub retry_in: Option<Span>,
    /// Release: whether the attempt started any work; `true` by default.
    pub begun: Option<bool>,
    /// Renew: duration of the lease from now; by default the configured duration.
    pub lease: Option<Span>,
    /// Renew: progress of the attempt.
    pub progress: Option<ReportedProgress>,
    /// Any action: lines for the job's log, which keeps the last 64 KiB.
    pub log: Option<String>,
}

/// A [`LeaseReport`] that is valid.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedLeaseReport {
    /// Lease that the report is about.
    pub lease: Lease,
    /// Action to take.
    pub action: CheckedLeaseAction,
    /// Lines for the job's log; may be empty.
    pub log: Log,
}

/// Error of a failed attempt, as a remote worker reports it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with code and message")]
pub struct ReportedError {
    /// Error code for programs, such as `timeout`.
    pub code: String,
    /// Error message for people; empty by default.
    #[serde(default)]
    pub message: String,
}

/// Progress of an attempt, as a remote worker reports it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with percent and message")]
pub struct ReportedProgress {
    /// Completed share of the work, from 0 to 100.
    pub percent: f64,
    /// Description of the current step, for people.
    #[serde(default)]
    pub message: Option<String>,
}

impl LeaseReport {
    /// Validates a single report, whose job and action are in the path of the request. A result is
    /// truncated to `max_result_bytes`.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field.
    pub fn check_one(
        self,
        job: JobId,
        action: LeaseAction,
        max_result_bytes: usize,
    ) -> Result<CheckedLeaseReport, Vec<Problem>> {
        let in_path = [("/id", self.id.is_some()), ("/action", self.action.is_some())];
        let repeated = in_path.into_iter().filter(|(_, is_present)| *is_present);
        let why = "must be omitted: it is part of the path";
        let problems = repeated.map(|(pointer, _)| Problem::new(pointer, why)).collect();
        self.check(Some(job), Some(action), max_result_bytes, problems)
    }

    /// Validates one of several reports, which contains its job and its action. A result is
    /// truncated to `max_result_bytes`.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field.
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
        for (pointer, is_present) in [
            ("/id", job.is_some()),
            ("/action", action.is_some()),
            ("/lease_token", token.is_some()),
        ] {
            if !is_present {
                problems.push(Problem::new(pointer, "is required"));
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
                let has_started = self.begun.unwrap_or(true);
                CheckedLeaseAction::Finish(if has_started {
                    Outcome::Released
                } else {
                    Outcome::NotStarted
                })
            }
            LeaseAction::Renew => self.renewed(problems),
        }
    }

    /// Returns a problem for each field that belongs to another action.
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
        fields
            .into_iter()
            .filter(|(_, owner, is_present)| *is_present && *owner != action)
            .map(|(pointer, owner, _)| Problem::new(pointer, format!("belongs to action {owner}")))
            .collect()
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
            problems.push(Problem::new("/retry_in", format!("must be at most {}", Backoff::MAX)));
        }
        if self.retry_in.is_some() && !retryable {
            problems.push(Problem::new("/retry_in", "is only allowed if retryable is true"));
        }
        let error = match self.error {
            None => {
                problems
                    .push(Problem::new("/error", "is required: an object with code and message"));
                JobError::new("", "")
            }
            Some(ReportedError { code, message }) => {
                let length = 1..=JobError::MAX_CODE_LEN;
                if !length.contains(&code.len()) || code.chars().any(char::is_control) {
                    let most = JobError::MAX_CODE_LEN;
                    let why = format!("must be 1 to {most} bytes without control characters");
                    problems.push(Problem::new("/error/code", why));
                }
                JobError::new(code, message)
            }
        };
        let retry_in = self.retry_in.map(Pause::Exactly);
        CheckedLeaseAction::Finish(Outcome::Failed { error, retryable, retry_in, detail: None })
    }

    fn renewed(self, problems: &mut Vec<Problem>) -> CheckedLeaseAction {
        if let Some(lease) = self.lease {
            check_lease(lease, problems);
        }
        let progress = self.progress.map(|ReportedProgress { percent, message }| {
            if !(0.0..=100.0).contains(&percent) {
                problems.push(Problem::new("/progress/percent", "must be between 0 and 100"));
            }
            Progress::new(percent, message.unwrap_or_default())
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

    fn pointers<T: std::fmt::Debug>(checked: Result<T, Vec<Problem>>) -> Vec<String> {
        checked.unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    fn check(action: LeaseAction, text: &str) -> Result<CheckedLeaseAction, Vec<Problem>> {
        let report: LeaseReport = parse_json(text.as_bytes()).unwrap();
        let report = LeaseReport { lease_token: Some(LeaseToken(1)), ..report };
        report.check_one(JobId(1), action, 10).map(|checked| checked.action)
    }

    #[test]
    fn a_field_that_belongs_to_another_action_is_refused() {
        let text = r#"{"result": 1, "error": {"code": "a"}, "begun": true, "lease": "1m"}"#;
        assert_eq!(pointers(check(LeaseAction::Release, text)), ["/result", "/error", "/lease"]);
        let text = r#"{"error": {"code": ""}, "retryable": false, "retry_in": "25h"}"#;
        assert_eq!(
            pointers(check(LeaseAction::Fail, text)),
            ["/retry_in", "/retry_in", "/error/code"]
        );
        assert_eq!(pointers(check(LeaseAction::Fail, "{}")), ["/error"]);
        let text = r#"{"lease": "25h", "progress": {"percent": 101}}"#;
        assert_eq!(pointers(check(LeaseAction::Renew, text)), ["/lease", "/progress/percent"]);
    }

    #[test]
    fn a_report_in_a_list_requires_a_job_an_action_and_a_token() {
        assert_eq!(
            pointers(LeaseReport::default().check_many(10)),
            ["/id", "/action", "/lease_token"]
        );
        let report = LeaseReport { id: Some(JobId(2)), ..LeaseReport::default() };
        let expected = ["/id", "/lease_token"];
        assert_eq!(pointers(report.check_one(JobId(1), LeaseAction::Release, 10)), expected);
    }

    #[test]
    fn a_long_result_is_truncated_and_an_invalid_one_refused() {
        let Ok(CheckedLeaseAction::Finish(Outcome::Completed(result))) =
            check(LeaseAction::Complete, r#"{"result": "0123456789"}"#)
        else {
            panic!("not completed");
        };
        assert!(result.truncated);
        assert_eq!(pointers(check(LeaseAction::Complete, r#"{"result": "\ud800"}"#)), ["/result"]);
    }

    #[test]
    fn log_lines_are_taken_with_any_action() {
        let silent = LeaseReport { lease_token: Some(LeaseToken(1)), ..LeaseReport::default() };
        let logged = LeaseReport { log: Some("one\ntwo".into()), ..silent.clone() };
        let log = logged.check_one(JobId(1), LeaseAction::Release, 10).unwrap().log;
        assert_eq!(log, Log::new("one\ntwo\n".into()));
        assert!(silent.check_one(JobId(1), LeaseAction::Release, 10).unwrap().log.is_empty());
    }
}
