//! Servers with one rule left out or wrong.

use super::promise::Promise;

/// A server: the sound one, or one with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Sound,
    /// It looks at the id of the job and not at the token.
    ComparesJobsOnly,
    /// It takes the number of the attempt for a token; a release gives that back.
    ComparesAttempts,
    /// Its token rises where a finish ended the last lease, not where a rescue or release did.
    RaisesTokensAfterFinishesOnly,
    /// Its finish has no look at the state of the job.
    FinishesWhatDoesNotRun,
    /// It stores jobs and keeps leases in memory.
    KeepsLeasesInMemory,
    /// It stores leases and knows only from memory which of them may run out.
    KeepsExpiryInMemory,
    /// It answers a finish before that is on disk.
    AnswersBeforeTheDisk,
    /// It calls every finish repeated that comes with the last token.
    KnowsRepeatsByTokenOnly,
    /// It goes on with the tokens of an older copy that was restored.
    RestoresWithoutNewEpoch,
    /// It believes a worker who says that a lease of another has run out.
    RescuesByClocksOfWorkers,
    /// It takes every lease back when it starts.
    TakesLeasesBackAtStart,
    /// It makes the row of a job anew when that is retried by hand.
    RetriesWithNewTokens,
    /// It queues again what was lost though it may run only once.
    RescuesWhatMayRunOnce,
    /// It renews the lease of a job whoever asks.
    RenewsForAnybody,
    /// It stores a result and then looks whether the lease holds.
    StoresResultsFirst,
}

impl Variant {
    pub(super) const BROKEN: [Self; 15] = [
        Self::ComparesJobsOnly,
        Self::ComparesAttempts,
        Self::RaisesTokensAfterFinishesOnly,
        Self::FinishesWhatDoesNotRun,
        Self::KeepsLeasesInMemory,
        Self::KeepsExpiryInMemory,
        Self::AnswersBeforeTheDisk,
        Self::KnowsRepeatsByTokenOnly,
        Self::RestoresWithoutNewEpoch,
        Self::RescuesByClocksOfWorkers,
        Self::TakesLeasesBackAtStart,
        Self::RetriesWithNewTokens,
        Self::RescuesWhatMayRunOnce,
        Self::RenewsForAnybody,
        Self::StoresResultsFirst,
    ];

    /// The promises that do not hold with this one and are looked at. Others may break as well.
    pub(super) fn breaks(self) -> &'static [Promise] {
        match self {
            Self::Sound => &[],
            Self::ComparesJobsOnly
            | Self::ComparesAttempts
            | Self::RaisesTokensAfterFinishesOnly
            | Self::RestoresWithoutNewEpoch
            | Self::RetriesWithNewTokens => &[Promise::OnlyTheHolderFinishes],
            Self::FinishesWhatDoesNotRun => {
                &[Promise::FinalStays, Promise::LeaseEndsOnce, Promise::LifeEndsOnce]
            }
            Self::KeepsLeasesInMemory => &[Promise::TokensRise],
            Self::KeepsExpiryInMemory => &[Promise::CanEnd],
            Self::AnswersBeforeTheDisk => &[Promise::AnsweredIsKept],
            Self::KnowsRepeatsByTokenOnly => &[Promise::RepeatedWasAccepted],
            Self::RescuesByClocksOfWorkers | Self::TakesLeasesBackAtStart => {
                &[Promise::LeaseHoldsUntilItRunsOut]
            }
            Self::RescuesWhatMayRunOnce => &[Promise::OnceIsBegunOnce],
            Self::RenewsForAnybody => &[Promise::OnlyTheHolderRenews],
            Self::StoresResultsFirst => &[Promise::ResultIsOfTheAcceptedFinish],
        }
    }
}
