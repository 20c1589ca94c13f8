//! Reports of remote workers on their leases.

mod check;
mod fields;
mod lenient;
mod outcome;
mod read;

use serde::{Deserialize, Serialize};

use crate::job::lease::{Lease, LeaseToken};
use crate::job::log::Log;
use crate::job::outcome::Outcome;
use crate::job::payload::Json;
use crate::job::problem::Problem;
use crate::job::time::Span;
use crate::job::{JobId, Progress};

/// Validated action of a remote worker on a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckedLeaseAction {
    /// Renews the lease because the attempt is still running.
    Renew {
        /// Duration of the lease from now; `None` for the configured duration.
        lease: Option<Span>,
        /// Progress of the attempt.
        progress: Option<Progress>,
        /// Whether the percentage of the last progress is kept, because the new one has none.
        keeps_percent: bool,
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

impl LeaseAction {
    /// Description of the names of the actions.
    const EXPECTED: &str = "must be renew, complete, fail or release";
}

/// Report of a remote worker on a lease. Most fields belong to one [`LeaseAction`] and are ignored
/// with any other.
///
/// [`LeaseReport::read`] takes what it understands of a text and ignores the rest, because a refused
/// report would leave the job running until its lease expires, and lose the reason of a failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeaseReport {
    /// Id of the job; required in a list of reports.
    pub id: Option<JobId>,
    /// Action to take; required in a list of reports.
    pub action: Option<LeaseAction>,
    /// Fencing token of the lease; required.
    pub lease_token: Option<LeaseToken>,
    /// Complete: result of the job; `null` by default.
    pub result: Option<Json>,
    /// Complete: result that cannot be stored; it fails the attempt.
    pub unusable_result: Option<UnusableResult>,
    /// Fail: error that ended the attempt.
    pub error: Option<ReportedError>,
    /// Fail: whether another attempt may succeed; `true` by default.
    pub retryable: Option<bool>,
    /// Fail: pause before the next attempt; by default the job's backoff decides. Release: pause
    /// before the job is queued again; by default it is queued at once.
    pub retry_in: Option<Span>,
    /// Fail: whether the attempt counts; `true` by default. One that does not is deferred.
    pub counts: Option<bool>,
    /// Release: whether the attempt started any work; `true` by default.
    pub begun: Option<bool>,
    /// Renew: duration of the lease from now; by default the configured duration.
    pub lease: Option<Span>,
    /// Renew: progress of the attempt.
    pub progress: Option<ReportedProgress>,
    /// Any action: lines for the job's log, which keeps the last 64 KiB.
    pub log: Option<String>,
    /// Problems for which the report is refused; empty if it was read completely.
    pub problems: Vec<Problem>,
}

/// Result that cannot be stored unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableResult {
    /// Text of the result, with replacement characters.
    pub text: String,
    /// Description of the problem.
    pub reason: String,
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

/// Error of a failed attempt, as a remote worker reports it. Texts may have any length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportedError {
    /// Error code for programs, such as `timeout`; `failed` by default.
    pub code: String,
    /// Error message for people.
    pub message: String,
    /// Traceback, or any other text that explains the error.
    pub traceback: Option<String>,
    /// Further data about the error.
    pub data: Option<Json>,
}

/// Progress of an attempt, as a remote worker reports it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportedProgress {
    /// Completed share of the work, from 0 to 100; by default that of the last report.
    pub percent: Option<f64>,
    /// Description of the current step, for people.
    pub message: Option<String>,
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
