//! Providers: model servers that many jobs call, with limits and a state that these jobs share.
//!
//! A provider that answers 429 or 503 with `Retry-After` says something about itself, not about the job:
//! calls to it pause until then for all of its jobs. One job tries it afterwards, and each call that
//! succeeds lets one more run at once than before (the slow start of TCP), so their number doubles with each
//! round of calls. For example, after a pause with calls of one second: 1, 2, 4, 8 ... calls run at once.
//! A call that takes long holds back no others: the number doubles after five seconds in any case.
//! A provider has recovered when all of its jobs may run at once. Its next refusal begins a new pause.
//! A provider that was never called, or has recovered, starts with 16 calls at once. The number doubles every 25 ms, or
//! after a pause every 500 ms, until a refusal, so fewer calls of a burst of jobs meet the same refusal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::job::limit::provider_name::ProviderName;
use crate::job::limit::starts::Starts;
pub use crate::job::limit::trial::FIRST_TRIAL;
use crate::job::limit::{Held, Room};
use crate::job::outcome::error::JobError;
use crate::job::queue::Rate;
use crate::job::time::{Span, Timestamp};

/// Longest pause of a provider, whatever it asked for.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Time after a pause in which its provider is still called with care.
const MEMORY: Duration = Duration::from_secs(3600);

/// Time after a pause in which a job may come back to try the provider: longer than a refused job steps aside.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shortest first pause of a provider that asked for one. It doubles with each refused trial.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// Number of refused trials in a row after which the shortest pause no longer grows; it is 6.4 s then.
const MAX_DOUBLINGS: u32 = 6;

/// Configured limits of a provider; `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderLimits {
    /// Maximum number of calls that run at once.
    pub max_running: Option<u32>,
    /// Maximum number of calls that start in any minute.
    pub requests_per_minute: Option<u32>,
}

impl ProviderLimits {
    /// Limits of a provider that is not configured any more: its jobs wait until it is again.
    pub const NOT_CONFIGURED: Self = Self { max_running: Some(0), requests_per_minute: None };

    /// Returns the limit on starts.
    pub fn rate(&self) -> Option<Rate> {
        let period = Span::from_secs(60);
        self.requests_per_minute.map(|limit| Rate { limit, period })
    }
}

/// State of a provider: what limits its calls beside the configured limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderState {
    /// Number of its jobs that run.
    pub running: u32,
    /// Number of its jobs that are queued.
    pub queued: u32,
    /// Its recent starts, for the rate limit.
    pub starts: Starts,
    /// Maximum number of calls at once while it is on trial.
    pub trial: Option<u32>,
    /// Time from which on the trial doubles with time: that of its first call.
    pub trial_since: Option<Timestamp>,
    /// The latest pause that it asked for, until it is no longer on trial or an hour has passed.
    pub pause: Option<ProviderPause>,
}

/// A pause that a provider asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderPause {
    /// Time of the first refusal.
    pub since: Timestamp,
    /// Time at which calls may be tried again.
    pub until: Timestamp,
    /// Number of refused calls since then.
    pub refused: u32,
    /// Number of refused trials in a row.
    #[serde(default)]
    pub trials: u32,
    /// Number of running calls that began before the latest refusal. They are no trials.
    #[serde(default)]
    pub older: u32,
    /// Whether the provider has recovered from it.
    #[serde(default)]
    pub is_over: bool,
    /// The latest refusal.
    pub error: JobError,
}

/// What a refusal means for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderEvent {
    /// A pause began.
    Paused,
    /// The provider answers again without limits of its own.
    Recovered,
    /// The pause is over, and no job is left with which the provider could be tried.
    Untried,
}

impl ProviderState {
    /// Returns the state of a provider that was never called.
    pub fn new() -> Self {
        Self { trial: Some(FIRST_TRIAL), ..Self::default() }
    }

    /// Returns the pause that holds back the provider, or from which it recovers.
    pub fn recovery(&self) -> Option<&ProviderPause> {
        self.pause.as_ref().filter(|pause| !pause.is_over)
    }

    /// Returns the end of the pause in which the provider is at `now`.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.recovery().map(|pause| pause.until).filter(|until| *until > now)
    }

    /// Returns how many calls may start at `now`.
    pub fn room(&self, limits: ProviderLimits, now: Timestamp) -> Room {
        if let Some(until) = self.paused_until(now) {
            return Room { jobs: 0, held: Some(Held::Pause(until)) };
        }
        // A call that hangs since before the pause must not keep others from being tried.
        let older = self.pause.as_ref().map_or(0, |pause| pause.older);
        Room::by_running(limits.max_running, self.running)
            .min(self.trial_room(self.running.saturating_sub(older), now))
            .min(Room::by_rate(limits.rate(), &self.starts, now))
    }

    /// Records calls that start.
    pub fn start(&mut self, count: u32, limits: ProviderLimits, now: Timestamp) {
        self.running = self.running.saturating_add(count);
        if let Some(rate) = limits.rate() {
            self.starts.add(count, rate, now);
        }
    }

    /// Records that calls have ended. Those that began before the latest refusal are thought to end first.
    pub fn end(&mut self, count: u32) {
        if let Some(pause) = &mut self.pause {
            pause.older = pause.older.saturating_sub(count);
        }
    }

    /// Records a refused call: all calls pause for `retry_in`, and one tries it afterwards.
    pub fn refuse(
        &mut self,
        retry_in: Span,
        error: &JobError,
        now: Timestamp,
    ) -> Option<ProviderEvent> {
        self.trial = Some(1);
        self.trial_since = None;
        self.pause.take_if(|pause| pause.is_over);
        let is_new = self.pause.is_none();
        let error = error.clone();
        let pause = self.pause.get_or_insert_with(|| ProviderPause {
            since: now,
            until: now,
            refused: 0,
            trials: 0,
            older: 0,
            is_over: false,
            error: error.clone(),
        });
        // A call that ends during a pause started before it, and is no trial.
        pause.trials += u32::from(pause.until <= now && !is_new);
        let shortest = MIN_PAUSE * 2_u32.pow(pause.trials.min(MAX_DOUBLINGS));
        let until = now.plus(retry_in.duration().clamp(shortest, MAX_PAUSE));
        pause.until = pause.until.max(until);
        pause.older = self.running;
        pause.refused = pause.refused.saturating_add(1);
        pause.error = error;
        is_new.then_some(ProviderEvent::Paused)
    }

    /// Records calls that were answered without a refusal. Those that end during a pause started before it, and say nothing
    /// about its end.
    pub fn succeed(
        &mut self,
        count: u32,
        limits: ProviderLimits,
        now: Timestamp,
    ) -> Option<ProviderEvent> {
        if self.paused_until(now).is_some() || limits == ProviderLimits::NOT_CONFIGURED {
            return None;
        }
        if let Some(pause) = &mut self.pause {
            pause.trials = 0;
        }
        self.trial?;
        self.add_answered(count, now);
        self.end_trial(limits, now)
    }

    /// Ends a pause that was over a minute ago if the provider has no job left to try it with, and forgets one that was
    /// long ago. Jobs that have stepped aside come back within that minute.
    pub fn forget_pause(&mut self, now: Timestamp) -> Option<ProviderEvent> {
        let is_idle = self.running == 0 && self.queued == 0;
        let pause = self.pause.as_mut()?;
        if pause.is_over {
            self.pause.take_if(|pause| now.since(pause.until) > MEMORY);
            return None;
        }
        if !is_idle || pause.until.plus(PATIENCE) > now {
            return None;
        }
        pause.is_over = true;
        self.trial = Some(FIRST_TRIAL);
        self.trial_since = None;
        Some(ProviderEvent::Untried)
    }

    /// Moves times in the future to `now`, after the clock was set back while no server was running.
    pub fn repair_clock_skew(&mut self, limits: ProviderLimits, now: Timestamp) {
        if let Some(rate) = limits.rate() {
            self.starts.repair_clock_skew(rate.period, now);
        }
        self.trial_since = self.trial_since.map(|since| since.min(now));
        if let Some(pause) = &mut self.pause
            && pause.since > now
        {
            let length = pause.until.since(pause.since).min(MAX_PAUSE);
            pause.until = now.plus(length);
            pause.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn error() -> JobError {
        JobError::new("http_status", "429")
    }

    const UNLIMITED: ProviderLimits =
        ProviderLimits { max_running: None, requests_per_minute: None };

    #[test]
    fn a_refusal_pauses_all_calls_then_one_tries_and_the_number_doubles_with_each_round() {
        let mut provider = ProviderState { running: 20, queued: 1_000, ..ProviderState::new() };
        assert_eq!(
            provider.refuse(Span::from_secs(1), &error(), at(0)),
            Some(ProviderEvent::Paused)
        );
        assert_eq!(provider.refuse(Span::from_millis(10), &error(), at(0)), None);
        let paused = Room { jobs: 0, held: Some(Held::Pause(at(1_000))) };
        assert_eq!(provider.room(UNLIMITED, at(999)), paused);
        // Calls that started before the pause say nothing about its end.
        assert_eq!(provider.succeed(19, UNLIMITED, at(500)), None);
        provider.running = 0;
        let mut rounds = Vec::new();
        for round in 0..4 {
            let room = provider.room(UNLIMITED, at(1_000 + round)).jobs;
            rounds.push(room);
            provider.start(room, UNLIMITED, at(1_000));
            provider.running = 0;
            provider.succeed(room, UNLIMITED, at(1_000 + round));
        }
        assert_eq!(rounds, [1, 2, 4, 8]);
        assert_eq!(provider.succeed(500, UNLIMITED, at(2_000)), Some(ProviderEvent::Recovered));
        assert_eq!((provider.trial, provider.pause.is_none()), (None, true));
        assert_eq!(provider.room(UNLIMITED, at(2_000)), Room::UNLIMITED);
    }

    #[test]
    fn a_refused_trial_pauses_again_and_counts_the_refusals() {
        let mut provider = ProviderState::new();
        provider.refuse(Span::from_secs(1), &error(), at(0));
        assert_eq!(provider.room(UNLIMITED, at(1_000)).jobs, 1);
        assert_eq!(provider.refuse(Span::from_secs(2), &error(), at(1_500)), None);
        assert_eq!(provider.room(UNLIMITED, at(3_499)).jobs, 0);
        let pause = provider.pause.clone().unwrap();
        assert_eq!((pause.since, pause.until, pause.refused), (at(0), at(3_500), 2));
        assert_eq!(provider.room(UNLIMITED, at(3_500)).jobs, 1);
    }

    #[test]
    fn a_provider_has_recovered_when_all_of_its_jobs_may_run_and_then_pauses_anew() {
        let mut provider = ProviderState { queued: 3, ..ProviderState::new() };
        provider.refuse(Span::from_secs(1), &error(), at(0));
        assert_eq!(provider.succeed(1, UNLIMITED, at(2_000)), None);
        assert_eq!(provider.succeed(1, UNLIMITED, at(2_001)), Some(ProviderEvent::Recovered));
        assert_eq!((provider.trial, provider.recovery()), (Some(FIRST_TRIAL), None));
        let again = provider.refuse(Span::from_secs(1), &error(), at(3_000));
        assert_eq!(again, Some(ProviderEvent::Paused));
        assert_eq!(provider.pause.unwrap().since, at(3_000));
    }

    #[test]
    fn calls_from_before_a_pause_keep_no_other_from_being_tried() {
        let mut provider = ProviderState { running: 3, queued: 9, ..ProviderState::new() };
        provider.refuse(Span::from_secs(1), &error(), at(0));
        assert_eq!(provider.room(UNLIMITED, at(1_000)).jobs, 1);
        provider.start(1, UNLIMITED, at(1_000));
        assert_eq!(provider.room(UNLIMITED, at(1_000)).jobs, 0);
        // One of the older calls ends, and says nothing about the trial.
        provider.running -= 1;
        provider.end(1);
        assert_eq!(provider.room(UNLIMITED, at(1_000)).jobs, 0);
    }

    #[test]
    fn a_pause_that_is_over_is_forgotten_with_the_last_job() {
        let mut provider = ProviderState { queued: 1, ..ProviderState::new() };
        provider.refuse(Span::from_secs(1), &error(), at(0));
        assert_eq!(provider.forget_pause(at(1_000)), None);
        provider.queued = 0;
        assert_eq!(provider.forget_pause(at(60_999)), None);
        assert_eq!(provider.forget_pause(at(61_000)), Some(ProviderEvent::Untried));
        assert_eq!((provider.trial, provider.recovery()), (Some(FIRST_TRIAL), None));
    }

    #[test]
    fn the_shortest_pause_grows_with_each_refused_trial_and_not_with_each_refused_call() {
        let mut provider = ProviderState { queued: 100, ..ProviderState::new() };
        let (mut now, mut pauses) = (at(0), Vec::new());
        for _ in 0..32 {
            provider.refuse(Span::from_millis(0), &error(), now);
        }
        for _ in 0..9 {
            let until = provider.pause.as_ref().unwrap().until;
            pauses.push(until.since(now).as_millis());
            now = until;
            provider.refuse(Span::from_millis(0), &error(), now);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 6_400, 6_400]);
        provider.refuse(Span::from_secs(7), &error(), now);
        assert_eq!(provider.pause.as_ref().unwrap().until, now.plus(Duration::from_secs(7)));
        provider.succeed(1, UNLIMITED, now.plus(Duration::from_secs(8)));
        assert_eq!(provider.pause.unwrap().trials, 0);
    }

    #[test]
    fn the_configured_limits_hold_and_the_smallest_room_is_named() {
        let limits = ProviderLimits { max_running: Some(5), requests_per_minute: Some(7) };
        let mut provider = ProviderState::new();
        assert_eq!(provider.room(limits, at(0)), Room { jobs: 5, held: Some(Held::Full) });
        provider.start(5, limits, at(0));
        assert_eq!(provider.room(limits, at(0)), Room { jobs: 0, held: Some(Held::Full) });
        provider.running = 0;
        let room = provider.room(limits, at(10));
        assert_eq!(room.jobs, 2);
        assert!(matches!(room.held, Some(Held::Rate(_))));
        provider.start(2, limits, at(10));
        provider.running = 0;
        assert_eq!(provider.room(limits, at(59_000)).jobs, 0);
        assert_eq!(provider.room(limits, at(61_000)).jobs, 5);
    }
}
