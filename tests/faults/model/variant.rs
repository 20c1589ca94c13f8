//! Servers that lack one rule or have it wrong.

use super::promise::Promise;

/// Variant of the server: the correct one, or one with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Sound,
    /// Compares the id of the job in a finish, but not the token.
    ComparesJobsOnly,
    /// Uses the number of the attempt as the token. A release gives the number back, so the next lease
    /// has the same token.
    ComparesAttempts,
    /// Raises the token only if a finish ended the last lease, and not after a rescue or a release.
    RaisesTokensAfterFinishesOnly,
    /// Accepts a finish without a check that the job is running.
    FinishesJobsThatDoNotRun,
    /// Stores jobs on disk, but keeps leases only in memory.
    KeepsLeasesInMemory,
    /// Stores leases on disk, but keeps only in memory which of them can expire.
    KeepsExpiryInMemory,
    /// Answers a finish before it is on disk.
    AnswersBeforeCommit,
    /// Answers every finish with the last token as repeated, without a comparison of the outcome.
    KnowsRepeatsByTokenOnly,
    /// Continues with the tokens of a restored older copy.
    RestoresWithoutNewEpoch,
    /// Rescues a job when another worker claims that the lease has expired.
    RescuesByWorkerClocks,
    /// Rescues every running job when it starts, even if the lease has not expired.
    RescuesEveryLeaseAtStart,
    /// Resets the token of a job that is retried by hand.
    ResetsTokensOnRetry,
    /// Queues an `at_most_once` job again after its lease has expired.
    RescuesAtMostOnceJobs,
    /// Renews the lease of a job without a comparison of the token.
    RenewsForAnyWorker,
    /// Stores a result before it checks that the lease is the current one.
    StoresResultsFirst,
}

impl Variant {
    pub(super) const BROKEN: [Self; 15] = [
        Self::ComparesJobsOnly,
        Self::ComparesAttempts,
        Self::RaisesTokensAfterFinishesOnly,
        Self::FinishesJobsThatDoNotRun,
        Self::KeepsLeasesInMemory,
        Self::KeepsExpiryInMemory,
        Self::AnswersBeforeCommit,
        Self::KnowsRepeatsByTokenOnly,
        Self::RestoresWithoutNewEpoch,
        Self::RescuesByWorkerClocks,
        Self::RescuesEveryLeaseAtStart,
        Self::ResetsTokensOnRetry,
        Self::RescuesAtMostOnceJobs,
        Self::RenewsForAnyWorker,
        Self::StoresResultsFirst,
    ];

    /// Returns the promises that this variant must break. It may break others as well.
    pub(super) fn breaks(self) -> &'static [Promise] {
        match self {
            Self::Sound => &[],
            Self::ComparesJobsOnly
            | Self::ComparesAttempts
            | Self::RaisesTokensAfterFinishesOnly
            | Self::RestoresWithoutNewEpoch
            | Self::ResetsTokensOnRetry => &[Promise::OnlyTheHolderFinishes],
            Self::FinishesJobsThatDoNotRun => {
                &[Promise::FinalStays, Promise::LeaseEndsOnce, Promise::JobEndsOnce]
            }
            Self::KeepsLeasesInMemory => &[Promise::TokensRise],
            Self::KeepsExpiryInMemory => &[Promise::CanEnd],
            Self::AnswersBeforeCommit => &[Promise::AcceptedFinishIsKept],
            Self::KnowsRepeatsByTokenOnly => &[Promise::RepeatedWasAccepted],
            Self::RescuesByWorkerClocks | Self::RescuesEveryLeaseAtStart => {
                &[Promise::NoRescueBeforeExpiry]
            }
            Self::RescuesAtMostOnceJobs => &[Promise::AtMostOnceStartsOnce],
            Self::RenewsForAnyWorker => &[Promise::OnlyTheHolderRenews],
            Self::StoresResultsFirst => &[Promise::ResultIsFromAcceptedFinish],
        }
    }
}
