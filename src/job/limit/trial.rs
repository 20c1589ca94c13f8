//! The trial of a provider: how many of its calls may run at once while it is not known how many it takes.
//!
//! Each answered call lets one more run, and the number also doubles with time, so that calls that take long hold
//! back no others. How fast it does so depends on the refusals so far.

use std::time::Duration;

use crate::job::limit::provider::{ProviderEvent, ProviderLimits, ProviderState};
use crate::job::limit::{Held, Room};
use crate::job::time::Timestamp;

/// Number of concurrent calls with which a provider starts that was never called, or has recovered from a
/// pause.
pub const FIRST_TRIAL: u32 = 16;

/// Number of concurrent calls from which on a provider is no longer on trial.
const END_OF_TRIAL: u32 = 512;

impl ProviderState {
    /// Returns the time in which the trial doubles: short for a provider that never refused a call, longer for one
    /// that did in the last hour, and long for one that recovers from a pause. A refusal takes less than that.
    fn step(&self) -> Duration {
        match &self.pause {
            None => Duration::from_millis(25),
            Some(pause) if pause.is_over => Duration::from_millis(500),
            Some(_) => Duration::from_secs(5),
        }
    }

    /// Returns the room that the trial leaves if so many of its calls run.
    pub(super) fn trial_room(&self, running: u32, now: Timestamp) -> Room {
        let mut room = Room::by_running(self.trial_at(now), running);
        if let Some(since) = self.trial_since {
            let doubles_at = since.plus(self.step() * self.trial_steps(now).saturating_add(1));
            room.held = room.held.map(|_| Held::Trial(doubles_at));
        }
        room
    }

    /// Returns the maximum number of calls at once at `now`; `None` if the provider is not on trial.
    pub fn trial_at(&self, now: Timestamp) -> Option<u32> {
        let factor = 2_u32.checked_pow(self.trial_steps(now))?;
        Some(self.trial?.saturating_mul(factor)).filter(|trial| *trial < END_OF_TRIAL)
    }

    /// Returns how often the trial has doubled with time.
    fn trial_steps(&self, now: Timestamp) -> u32 {
        let took = self.trial_since.map_or(Duration::ZERO, |since| now.since(since));
        u32::try_from(took.as_millis() / self.step().as_millis()).unwrap_or(u32::MAX)
    }

    /// Lets the trial grow with time from its first call on, and ends it when it has grown far enough without a
    /// refusal.
    pub fn grow_trial(&mut self, limits: ProviderLimits, now: Timestamp) {
        let older = self.pause.as_ref().map_or(0, |pause| pause.older);
        let is_paused = self.paused_until(now).is_some();
        if self.trial.is_none() || is_paused || limits == ProviderLimits::NOT_CONFIGURED {
            return;
        }
        if self.running > older && self.trial_since.is_none() {
            self.trial_since = Some(now);
        }
        if self.recovery().is_none() {
            self.end_trial(limits, now);
        }
    }

    /// Lets as many more calls run at once as were answered.
    pub(super) fn add_answered(&mut self, count: u32, now: Timestamp) {
        let Some(trial) = self.trial_at(now) else { return };
        self.trial = Some(trial.saturating_add(count));
        // The steps so far are part of the number now.
        let (step, steps) = (self.step(), self.trial_steps(now));
        self.trial_since = self.trial_since.map(|since| since.plus(step * steps));
    }

    /// Ends the trial if it limits nothing, or the recovery if all calls may run at once.
    pub(super) fn end_trial(
        &mut self,
        limits: ProviderLimits,
        now: Timestamp,
    ) -> Option<ProviderEvent> {
        let enough = limits.max_running.unwrap_or(END_OF_TRIAL).min(END_OF_TRIAL);
        let wanted = self.running.saturating_add(self.queued);
        let recovering = self.recovery().map(|_| ProviderEvent::Recovered);
        match self.trial_at(now) {
            Some(trial) if trial < enough => {
                if trial < wanted {
                    return None;
                }
                self.pause.as_mut().filter(|pause| !pause.is_over)?.is_over = true;
                self.trial = Some(FIRST_TRIAL);
            }
            _ => {
                self.pause = None;
                self.trial = None;
            }
        }
        self.trial_since = None;
        recovering
    }
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
        provider.grow_trial(UNLIMITED, at(0));
        assert_eq!(provider.room(UNLIMITED, at(900)).jobs, FIRST_TRIAL, "no call has begun");
        provider.running = 1;
        provider.grow_trial(UNLIMITED, at(1_000));
        provider.running = FIRST_TRIAL;
        let room = |provider: &ProviderState, now| provider.room(UNLIMITED, at(now));
        assert_eq!(room(&provider, 1_024), Room { jobs: 0, held: Some(Held::Trial(at(1_025))) });
        assert_eq!(room(&provider, 1_025).jobs, 16);
        assert_eq!(room(&provider, 1_050), Room { jobs: 48, held: Some(Held::Trial(at(1_075))) });
        let mut refused = provider.clone();
        refused.refuse(Span::from_secs(1), &JobError::new("http_status", "429"), at(1_050));
        assert_eq!((refused.trial, refused.trial_since), (Some(1), None));
        assert_eq!(room(&provider, 1_125), Room::UNLIMITED);
        provider.grow_trial(UNLIMITED, at(1_124));
        assert_eq!(provider.trial, Some(FIRST_TRIAL));
        provider.grow_trial(UNLIMITED, at(1_125));
        assert_eq!((provider.trial, provider.trial_since), (None, None));
    }

    #[test]
    fn answered_calls_let_more_run_and_do_not_delay_the_growth_with_time() {
        let mut provider = ProviderState { running: 16, ..ProviderState::new() };
        provider.grow_trial(UNLIMITED, at(0));
        provider.succeed(4, UNLIMITED, at(30));
        assert_eq!((provider.trial_at(at(49)), provider.trial_at(at(50))), (Some(36), Some(72)));
        provider.succeed(500, UNLIMITED, at(51));
        assert_eq!((provider.trial, provider.trial_since), (None, None));
    }

    #[test]
    fn a_trial_that_hangs_holds_back_the_other_calls_for_five_seconds() {
        let mut provider = ProviderState { queued: 20, ..ProviderState::new() };
        provider.refuse(Span::from_secs(1), &JobError::new("http_status", "429"), at(0));
        (provider.running, provider.queued) = (1, 19);
        provider.grow_trial(UNLIMITED, at(1_000));
        let room = |provider: &ProviderState, now| provider.room(UNLIMITED, at(now));
        assert_eq!(room(&provider, 5_999), Room { jobs: 0, held: Some(Held::Trial(at(6_000))) });
        assert_eq!(room(&provider, 6_000).jobs, 1);
        assert_eq!(provider.succeed(1, UNLIMITED, at(6_000)), None);
        assert_eq!(provider.trial_at(at(6_000)), Some(3));
        assert_eq!(provider.succeed(17, UNLIMITED, at(6_001)), Some(ProviderEvent::Recovered));
    }

    #[test]
    fn a_provider_that_has_recovered_is_called_with_care_for_an_hour() {
        let mut provider = ProviderState { queued: 1, ..ProviderState::new() };
        provider.refuse(Span::from_secs(1), &JobError::new("http_status", "429"), at(0));
        (provider.running, provider.queued) = (1, 0);
        assert_eq!(provider.succeed(1, UNLIMITED, at(1_100)), Some(ProviderEvent::Recovered));
        assert!(provider.recovery().is_none());
        provider.running = FIRST_TRIAL;
        provider.grow_trial(UNLIMITED, at(2_000));
        assert_eq!(
            (provider.trial_at(at(2_499)), provider.trial_at(at(2_500))),
            (Some(16), Some(32))
        );
        assert_eq!(provider.forget_pause(at(3_601_000)), None);
        assert!(provider.pause.is_some());
        assert_eq!(provider.forget_pause(at(3_601_001)), None);
        assert!(provider.pause.is_none());
    }
}
