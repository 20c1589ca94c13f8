//! What must hold in every state of the world.

use stateright::Property;

use super::server::Server;
use super::world::{Scene, World};

/// A promise. All but the last are noted as broken by the step that breaks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Promise {
    LeaseEndsOnce,
    LifeEndsOnce,
    OnlyTheHolderFinishes,
    OnlyTheHolderRenews,
    ResultIsOfTheAcceptedFinish,
    FinalStays,
    TokensRise,
    OnceIsBegunOnce,
    LeaseHoldsUntilItRunsOut,
    AnsweredIsKept,
    RepeatedWasAccepted,
    CanEnd,
}

impl Promise {
    pub(super) const ALL: [Self; 12] = [
        Self::LeaseEndsOnce,
        Self::LifeEndsOnce,
        Self::OnlyTheHolderFinishes,
        Self::OnlyTheHolderRenews,
        Self::ResultIsOfTheAcceptedFinish,
        Self::FinalStays,
        Self::TokensRise,
        Self::OnceIsBegunOnce,
        Self::LeaseHoldsUntilItRunsOut,
        Self::AnsweredIsKept,
        Self::RepeatedWasAccepted,
        Self::CanEnd,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LeaseEndsOnce => "a lease is finished once at most",
            Self::LifeEndsOnce => "a job ends once, until it is retried by hand",
            Self::OnlyTheHolderFinishes => "a finish is accepted from the lease that holds only",
            Self::OnlyTheHolderRenews => "a renewal is accepted from the lease that holds only",
            Self::ResultIsOfTheAcceptedFinish => "the result is that of the accepted finish",
            Self::FinalStays => "a final state changes by a retry by hand only",
            Self::TokensRise => "tokens rise with every lease of a job",
            Self::OnceIsBegunOnce => "a job that may run once is begun once",
            Self::LeaseHoldsUntilItRunsOut => "no lease is taken back before it has run out",
            Self::AnsweredIsKept => "a finish that was answered as done stays done",
            Self::RepeatedWasAccepted => {
                "a result or an error is called repeated only if it was accepted"
            }
            Self::CanEnd => "each job can end from here",
        }
    }

    /// For the checker, which takes functions without surroundings.
    pub(super) fn property(self) -> Property<Scene> {
        macro_rules! kept {
            ($($promise:ident),*) => {
                match self {
                    $(Self::$promise => Property::always(self.name(), |_: &Scene, world: &World| {
                        !world.broken.contains(&Promise::$promise)
                    }),)*
                    Self::CanEnd => Property::always(self.name(), |scene: &Scene, world: &World| {
                        can_end(world.server.clone(), scene)
                    }),
                }
            };
        }
        kept!(
            LeaseEndsOnce,
            LifeEndsOnce,
            OnlyTheHolderFinishes,
            OnlyTheHolderRenews,
            ResultIsOfTheAcceptedFinish,
            FinalStays,
            TokensRise,
            OnceIsBegunOnce,
            LeaseHoldsUntilItRunsOut,
            AnsweredIsKept,
            RepeatedWasAccepted
        )
    }
}

/// Whether every job ends if nothing more goes wrong: leases of those who are gone run out, and who
/// asks for a lease then completes.
fn can_end(mut server: Server, scene: &Scene) -> bool {
    server.start(scene.variant);
    for job in 0..scene.bounds.jobs.len() {
        server.run_out(job);
        server.rescue(job, false, scene.variant);
        server.stage(job);
        if let Some(grant) = server.lease(job, 0, u8::MAX, scene.variant) {
            server.finish(&grant.completed(), scene.variant);
        }
    }
    server.rows().iter().all(|row| row.state.is_final())
}
