//! A stored job of the model, and the rules that change it.

use std::collections::BTreeMap;
use std::fmt;

use longshore::job::outcome::{
    Deferred, JobResult, OUTCOME_UNKNOWN, Outcome, RunningAttempt, settle,
};
use longshore::job::retry::Backoff;
use longshore::job::{JobId, Json, State, Timestamp};

use super::variant::Variant;

/// Outcome that a worker reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Report {
    Complete(u8),
    Fail {
        retryable: bool,
    },
    Release,
    /// The lease was released before its worker had started the job.
    NotStarted,
}

impl Report {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Complete(value) => {
                Outcome::Completed(JobResult::whole(Json::trusted(value.to_string())))
            }
            Self::Fail { retryable: true } => Outcome::retryable("failed", "once more"),
            Self::Fail { retryable: false } => Outcome::fatal("refused", "never"),
            Self::Release => Outcome::Released,
            Self::NotStarted => Outcome::NotStarted,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Fail { retryable: true } => "failed",
            _ => "refused",
        }
    }
}

/// Lease as it was granted to a worker.
///
/// `serial` numbers all leases that the job ever had. Only the model knows it, and uses it to identify
/// a lease even if a broken variant grants the same token twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Grant {
    pub(super) worker: u8,
    pub(super) job: usize,
    pub(super) token: i64,
    pub(super) serial: u8,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, job, token, serial } = self;
        write!(f, "lease {serial} of job {job} (worker {worker}, token {token})")
    }
}

impl Grant {
    pub(super) fn completed(self) -> Finish {
        Finish { grant: self, report: Report::Complete(0) }
    }
}

/// Finish in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Finish {
    pub(super) grant: Grant,
    pub(super) report: Report,
}

/// Answer to a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FinishAnswer {
    Accepted,
    Repeated,
    Stale,
}

/// Stored job. The fields after `failures` are known only to the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct JobRow {
    pub(super) state: State,
    pub(super) token: i64,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) at_most_once: bool,
    pub(super) cancel_requested: bool,
    /// Whether its lease has expired. A renewal sets this to false.
    pub(super) is_expired: bool,
    /// Whether the server knows that the lease can expire.
    pub(super) is_expiry_known: bool,
    pub(super) result: Option<u8>,
    /// Code of each failed attempt, by the token of its lease.
    failures: BTreeMap<i64, String>,
    /// Serial number of the current lease.
    pub(super) holder: Option<u8>,
    /// Accepted finishes, each with the serial number of its lease.
    pub(super) accepted: Vec<(u8, Report)>,
    /// First accepted finish that ended the job since its last retry by hand.
    pub(super) ended_by: Option<Report>,
    /// Number of retries by hand.
    pub(super) manual_retries: u8,
    /// Number of times that the job ended since its last retry by hand.
    pub(super) ends: u8,
}

impl JobRow {
    pub(super) fn new(max_attempts: u32, at_most_once: bool) -> Self {
        Self {
            state: State::Queued,
            token: 0,
            attempt: 0,
            max_attempts,
            at_most_once,
            cancel_requested: false,
            is_expired: false,
            is_expiry_known: false,
            result: None,
            failures: BTreeMap::new(),
            holder: None,
            accepted: Vec::new(),
            ended_by: None,
            manual_retries: 0,
            ends: 0,
        }
    }

    fn held(&self) -> RunningAttempt {
        RunningAttempt {
            job: JobId(1),
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            at_most_once: self.at_most_once,
            cancel_requested: self.cancel_requested,
            backoff: Backoff::default(),
            deferred: Deferred::default(),
            is_delivery: false,
        }
    }

    /// Applies an outcome by the rules of the library (`job::outcome::settle`).
    pub(super) fn settle(&mut self, outcome: &Outcome) {
        let settlement = settle(&self.held(), outcome, Timestamp::from_millis(0));
        if settlement.is_failure {
            let code = match outcome {
                Outcome::Failed { error, .. } => Some(error.code.clone()),
                _ => settlement.error.map(|error| error.code),
            };
            self.failures.insert(self.token, code.unwrap());
        }
        if let Outcome::Completed(result) = outcome {
            self.result = result.json.as_str().parse().ok();
        }
        self.attempt = settlement.attempt;
        self.enter(settlement.state);
    }

    pub(super) fn enter(&mut self, state: State) {
        self.state = state;
        self.cancel_requested = false;
        self.is_expired = false;
        self.is_expiry_known = state == State::Running;
        self.holder = None;
        self.ends += u8::from(state.is_final());
    }

    pub(super) fn accepts_finish(&self, grant: &Grant, variant: Variant) -> bool {
        let has_token = variant == Variant::ComparesJobsOnly || self.token == grant.token;
        let runs = variant == Variant::FinishesJobsThatDoNotRun || self.state == State::Running;
        has_token && runs
    }

    /// Returns whether a finish repeats the one that ended the latest lease, by the rules of the store.
    pub(super) fn is_repeat(&self, finish: &Finish, floor: i64, variant: Variant) -> bool {
        let token = finish.grant.token;
        if token != self.token || token < floor.max(1) || self.state == State::Running {
            return false;
        }
        if variant == Variant::KnowsRepeatsByTokenOnly {
            return true;
        }
        let failure = self.failures.get(&token).map(String::as_str);
        match finish.report {
            Report::Complete(value) => self.state == State::Completed && self.result == Some(value),
            Report::Fail { .. } => failure == Some(finish.report.code()),
            Report::Release => match failure {
                Some(code) => code == OUTCOME_UNKNOWN,
                None => matches!(self.state, State::Queued | State::Cancelled),
            },
            Report::NotStarted => {
                failure.is_none() && matches!(self.state, State::Queued | State::Cancelled)
            }
        }
    }
}
