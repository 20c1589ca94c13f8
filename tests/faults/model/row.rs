//! A job as it is stored, and what the rules make of it.

use std::collections::BTreeMap;
use std::fmt;

use longshore::job::outcome::{Held, JobResult, OUTCOME_UNKNOWN, Outcome, settle};
use longshore::job::retry::Backoff;
use longshore::job::{JobId, Json, State, Timestamp};

use super::variant::Variant;

/// What a worker reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Report {
    Complete(u8),
    Fail {
        retryable: bool,
    },
    Release,
    /// It was given back before its worker had begun.
    NotBegun,
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
            Self::NotBegun => Outcome::NotBegun,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Fail { retryable: true } => "failed",
            _ => "refused",
        }
    }
}

/// A lease as its worker was told of it. `serial` counts all leases that the job ever had and is
/// known to the model only: it tells whose lease is meant, whatever the server has for a token.
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

/// A finish on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Finish {
    pub(super) grant: Grant,
    pub(super) report: Report,
}

/// What a finish is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Accepted,
    Repeated,
    Stale,
}

/// A job as it is stored. What stands below `failures` is known to the model only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) state: State,
    pub(super) token: i64,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) at_most_once: bool,
    pub(super) cancel_requested: bool,
    /// Whether the time of its lease is over. A renewal gives it more.
    pub(super) is_over: bool,
    /// Whether the server knows that the lease can run out.
    pub(super) is_watched: bool,
    pub(super) result: Option<u8>,
    /// Codes by token.
    failures: BTreeMap<i64, String>,
    /// Whose lease holds.
    pub(super) holder: Option<u8>,
    /// Which finishes were accepted, of which lease, and which was the first to end its life.
    pub(super) accepted: Vec<(u8, Report)>,
    pub(super) ended_by: Option<Report>,
    /// How often it was retried by hand, and how often it ended since.
    pub(super) life: u8,
    pub(super) ends: u8,
}

impl Row {
    pub(super) fn new(max_attempts: u32, at_most_once: bool) -> Self {
        Self {
            state: State::Queued,
            token: 0,
            attempt: 0,
            max_attempts,
            at_most_once,
            cancel_requested: false,
            is_over: false,
            is_watched: false,
            result: None,
            failures: BTreeMap::new(),
            holder: None,
            accepted: Vec::new(),
            ended_by: None,
            life: 0,
            ends: 0,
        }
    }

    fn held(&self) -> Held {
        Held {
            job: JobId(1),
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            at_most_once: self.at_most_once,
            cancel_requested: self.cancel_requested,
            backoff: Backoff::default(),
        }
    }

    /// What the rules of the project say that an outcome means.
    pub(super) fn settle(&mut self, outcome: &Outcome) {
        let settlement = settle(&self.held(), outcome, Timestamp::from_millis(0));
        if settlement.is_failure {
            let own = match outcome {
                Outcome::Failed { error, .. } => Some(error.code.clone()),
                _ => settlement.error.map(|error| error.code),
            };
            self.failures.insert(self.token, own.unwrap());
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
        self.is_over = false;
        self.is_watched = state == State::Running;
        self.holder = None;
        self.ends += u8::from(state.is_final());
    }

    pub(super) fn may_finish(&self, grant: &Grant, variant: Variant) -> bool {
        let has_token = variant == Variant::ComparesJobsOnly || self.token == grant.token;
        let runs = variant == Variant::FinishesWhatDoesNotRun || self.state == State::Running;
        has_token && runs
    }

    /// The store's look at what ended the latest lease.
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
            Report::NotBegun => {
                failure.is_none() && matches!(self.state, State::Queued | State::Cancelled)
            }
        }
    }
}
