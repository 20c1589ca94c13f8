//! What a history can show that may not be.

/// Something that broke a promise. Each names the job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Violation {
    /// It was acknowledged and is not there.
    Lost { job: i64, tag: String },
    /// It is there and nobody submitted it.
    Invented { job: i64, tag: String },
    /// It was acknowledged, and another is there under its id.
    Another { job: i64, acknowledged: String, found: String },
    /// One submission or one key made several.
    Several { tag: String, jobs: Vec<i64> },
    /// It has not ended.
    NotFinal { job: i64, state: String },
    /// It failed or was called off, and neither what was asked nor a fault explains that.
    Unexplained { job: i64, state: String, error: Option<String> },
    /// A lease that was asked for after another was granted has no higher token.
    TokenFell { job: i64, before: i64, after: i64 },
    /// Two leases have one token.
    TokenTwice { job: i64, token: i64 },
    /// It was leased again though its worker had been told that it is completed.
    LeasedAfterEnd { job: i64, token: i64 },
    /// A finish was accepted though its lease had been superseded before it was sent.
    StaleAccepted { job: i64, token: i64 },
    /// A lease was finished twice, or its job completed twice.
    FinishedTwice { job: i64, token: i64 },
    /// A finish was answered as known that had not been sent before.
    RepeatedNothing { job: i64, token: i64 },
    /// It has another result than the one that was accepted, or than can be.
    OtherResult { job: i64 },
    /// It had an effect that no attempt explains.
    EffectUnexplained { job: i64 },
    /// It has completed without its effect.
    EffectMissing { job: i64 },
    /// It may run once and had two effects, or two attempts.
    RanTwice { job: i64 },
    /// It was acknowledged, and somebody who asked was told that it is not there.
    NotFound { job: i64 },
    /// It was seen in a final state, and now is in another.
    EndChanged { job: i64, seen: String, found: String },
    /// Nothing of this sort succeeded: nothing was shown.
    NeverSucceeded { operation: Operation },
}

/// What clients and workers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Submit,
    Lease,
    Start,
    Effect,
    Finish,
    Cancel,
    Read,
    Fault,
}
