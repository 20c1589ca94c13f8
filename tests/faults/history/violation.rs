//! Violations of promises that a history can show.

/// Violation of a promise. `job` is the id of the job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Violation {
    /// The job was acknowledged and does not exist.
    Lost { job: i64, tag: String },
    /// The job exists and was never submitted.
    Invented { job: i64, tag: String },
    /// The job was acknowledged, and its id belongs to a different job.
    DifferentJob { job: i64, acknowledged: String, found: String },
    /// One submission, or one idempotency key, has several jobs.
    Duplicates { tag: String, jobs: Vec<i64> },
    /// The job has not ended.
    NotFinal { job: i64, state: String },
    /// The job failed or was cancelled, and neither a request nor a fault explains that.
    Unexplained { job: i64, state: String, error: Option<String> },
    /// A lease that was requested after another one was granted has no higher token.
    TokenFell { job: i64, before: i64, after: i64 },
    /// Two leases of the job have the same token.
    TokenTwice { job: i64, token: i64 },
    /// The job was leased again after its completion was acknowledged to a worker.
    LeasedAfterEnd { job: i64, token: i64 },
    /// A finish was accepted although its lease had been superseded before the finish was sent.
    StaleAccepted { job: i64, token: i64 },
    /// A lease was finished twice, or the job was completed twice.
    FinishedTwice { job: i64, token: i64 },
    /// A finish was answered as repeated although it had not been sent before.
    FalseRepeat { job: i64, token: i64 },
    /// The job has another result than the one that was accepted or expected.
    WrongResult { job: i64 },
    /// The job had an effect that no attempt explains.
    EffectUnexplained { job: i64 },
    /// The job has completed without its effect.
    EffectMissing { job: i64 },
    /// The job is an `at_most_once` job and had two effects or two attempts.
    RanTwice { job: i64 },
    /// The job was acknowledged, and a later read did not find it.
    NotFound { job: i64 },
    /// The job was seen in a final state and is in another state now.
    FinalStateChanged { job: i64, seen: String, found: String },
    /// The job has completed, and its follow-up job does not exist.
    FollowUpMissing { job: i64 },
    /// The job has several follow-up jobs.
    FollowUpTwice { job: i64, follow_ups: Vec<i64> },
    /// The follow-up job exists although the job before it has not completed.
    FollowUpUncaused { job: i64 },
    /// No operation of this kind succeeded, so the run proves nothing about it.
    NeverSucceeded { operation: Operation },
}

/// Operation of clients and workers, or an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Submit,
    Lease,
    Start,
    Effect,
    Finish,
    Cancel,
    Read,
    /// A job has completed and has its follow-up job.
    FollowUp,
    Fault,
}
