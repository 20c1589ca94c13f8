//! The trial of a provider that was never called: few calls at once, and more with time until its first refusal.

use crate::job::limit::provider::ProviderState;
use crate::job::limit::{Held, Room};
use crate::job::time::Timestamp;

/// Number of concurrent calls with which a provider starts that was never called.
pub const FIRST_TRIAL: u32 = 16;

/// Time in which the number of concurrent calls doubles, until the first refusal.
const TRIAL_STEP_MS: i64 = 25;

/// Number of concurrent calls from which on a provider is no longer on trial.
pub(super) const END_OF_TRIAL: u32 = 512;

impl ProviderState {
    /// Returns the room that the trial leaves.
    pub(super) fn trial_room(&self, running: u32, now: Timestamp) -> Room {
        let mut room = Room::by_running(self.trial_at(now), running);
        if let Some(since) = self.trial_since {
            let steps = trial_steps(since, now) + 1;
            let doubles_at = Timestamp::from_millis(since.millis() + steps * TRIAL_STEP_MS);
            room.held = room.held.map(|_| Held::Trial(doubles_at));
        }
        room
    }

    /// Returns the maximum number of calls at once at `now`; `None` if the provider is not on trial.
    fn trial_at(&self, now: Timestamp) -> Option<u32> {
        let trial = self.trial?;
        let steps = self.trial_since.map_or(0, |since| trial_steps(since, now));
        let factor = u32::try_from(steps).ok().and_then(|steps| 2_u32.checked_pow(steps));
        Some(trial.saturating_mul(factor?)).filter(|trial| *trial < END_OF_TRIAL)
    }

    /// Begins the trial of a provider with its first call, and ends it when no refusal came.
    pub fn grow_trial(&mut self, now: Timestamp) {
        if self.trial.is_none() || self.pause.is_some() {
            return;
        }
        if self.trial_at(now).is_none() {
            self.trial = None;
            self.trial_since = None;
        } else if self.running > 0 && self.trial_since.is_none() {
            self.trial_since = Some(now);
        }
    }
}

/// Returns how often the trial has doubled.
fn trial_steps(since: Timestamp, now: Timestamp) -> i64 {
    (now.millis() - since.millis()).max(0) / TRIAL_STEP_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::limit::provider::ProviderLimits;
    use crate::job::outcome::error::JobError;
    use crate::job::time::Span;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    const UNLIMITED: ProviderLimits =
        ProviderLimits { max_running: None, requests_per_minute: None };

    #[test]
    fn a_new_provider_starts_with_few_calls_and_their_number_doubles_until_a_refusal() {
        let mut provider = ProviderState::new();
        provider.grow_trial(at(0));
        assert_eq!(provider.room(UNLIMITED, at(900)).jobs, FIRST_TRIAL, "no call has begun");
        provider.running = 1;
        provider.grow_trial(at(1_000));
        provider.running = FIRST_TRIAL;
        let room = |provider: &ProviderState, now| provider.room(UNLIMITED, at(now));
        assert_eq!(room(&provider, 1_024), Room { jobs: 0, held: Some(Held::Trial(at(1_025))) });
        assert_eq!(room(&provider, 1_025).jobs, 16);
        assert_eq!(room(&provider, 1_050), Room { jobs: 48, held: Some(Held::Trial(at(1_075))) });
        let mut refused = provider.clone();
        refused.refuse(Span::from_secs(1), &JobError::new("http_status", "429"), at(1_050));
        assert_eq!((refused.trial, refused.trial_since), (Some(1), None));
        assert_eq!(room(&provider, 1_125), Room::UNLIMITED);
        provider.grow_trial(at(1_124));
        assert_eq!(provider.trial, Some(FIRST_TRIAL));
        provider.grow_trial(at(1_125));
        assert_eq!((provider.trial, provider.trial_since), (None, None));
    }
}
