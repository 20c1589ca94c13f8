//! Properties that must hold in every state of the model.

use stateright::Property;

use super::server::ModelServer;
use super::world::{Scenario, World};

/// Promise of the server. For all but the last one, [`World`] records whether a step has broken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Promise {
    LeaseEndsOnce,
    JobEndsOnce,
    OnlyTheHolderFinishes,
    OnlyTheHolderRenews,
    ResultIsFromAcceptedFinish,
    FinalStays,
    TokensRise,
    AtMostOnceStartsOnce,
    NoRescueBeforeExpiry,
    AcceptedFinishIsKept,
    RepeatedWasAccepted,
    CanEnd,
}

impl Promise {
    pub(super) const ALL: [Self; 12] = [
        Self::LeaseEndsOnce,
        Self::JobEndsOnce,
        Self::OnlyTheHolderFinishes,
        Self::OnlyTheHolderRenews,
        Self::ResultIsFromAcceptedFinish,
        Self::FinalStays,
        Self::TokensRise,
        Self::AtMostOnceStartsOnce,
        Self::NoRescueBeforeExpiry,
        Self::AcceptedFinishIsKept,
        Self::RepeatedWasAccepted,
        Self::CanEnd,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LeaseEndsOnce => "a lease is finished at most once",
            Self::JobEndsOnce => "a job ends once, until it is retried by hand",
            Self::OnlyTheHolderFinishes => "a finish is accepted only from the current lease",
            Self::OnlyTheHolderRenews => "a renewal is accepted only from the current lease",
            Self::ResultIsFromAcceptedFinish => "the result is that of the accepted finish",
            Self::FinalStays => "a final state changes only by a retry by hand",
            Self::TokensRise => "tokens rise with every lease of a job",
            Self::AtMostOnceStartsOnce => "an at_most_once job is started once",
            Self::NoRescueBeforeExpiry => "no job is rescued before its lease has expired",
            Self::AcceptedFinishIsKept => "an acknowledged finish stays stored",
            Self::RepeatedWasAccepted => {
                "a result or an error is answered as repeated only if it was accepted"
            }
            Self::CanEnd => "each job can still end",
        }
    }

    /// Returns the property for the checker. The checker takes function pointers, so there is a
    /// function for each promise.
    pub(super) fn property(self) -> Property<Scenario> {
        macro_rules! properties {
            ($($promise:ident),*) => {
                match self {
                    $(Self::$promise => Property::always(self.name(), |_: &Scenario, world: &World| {
                        !world.broken.contains(&Promise::$promise)
                    }),)*
                    Self::CanEnd => Property::always(self.name(), |scenario: &Scenario, world: &World| {
                        can_end(world.server.clone(), scenario)
                    }),
                }
            };
        }
        properties!(
            LeaseEndsOnce,
            JobEndsOnce,
            OnlyTheHolderFinishes,
            OnlyTheHolderRenews,
            ResultIsFromAcceptedFinish,
            FinalStays,
            TokensRise,
            AtMostOnceStartsOnce,
            NoRescueBeforeExpiry,
            AcceptedFinishIsKept,
            RepeatedWasAccepted
        )
    }
}

/// Returns whether every job ends if nothing more fails: leases of dead workers expire, and the next
/// worker that leases a job completes it.
fn can_end(mut server: ModelServer, scenario: &Scenario) -> bool {
    server.start(scenario.variant);
    for job in 0..scenario.bounds.jobs.len() {
        server.expire(job);
        server.rescue(job, false, scenario.variant);
        server.stage(job);
        if let Some(grant) = server.lease(job, 0, u8::MAX, scenario.variant) {
            server.finish(&grant.completed(), scenario.variant);
        }
    }
    server.rows().iter().all(|row| row.state.is_final())
}
