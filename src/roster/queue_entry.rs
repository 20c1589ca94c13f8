//! What the roster knows of one queue.

use crate::job::lane::Lane;
use crate::job::limit::Held;
use crate::job::limit::provider::ProviderName;
use crate::job::queue::QueueSettings;
use crate::job::time::Timestamp;

/// State of one queue in the roster.
#[derive(Debug, Default)]
pub(super) struct QueueEntry {
    pub(super) settings: QueueSettings,
    /// Number of running jobs in each lane.
    pub(super) running: [u32; Lane::COUNT],
    /// The limit for which the store refused an order, and the time at which to order again.
    pub(super) held: Option<(Held, Timestamp)>,
    /// Whether the queue may have jobs of the async lane without a provider.
    pub(super) has_async_jobs: bool,
    /// Providers of which the queue may have queued jobs, without duplicates.
    pub(super) providers: Vec<ProviderName>,
}

impl QueueEntry {
    pub(super) fn total_running(&self) -> u32 {
        self.running.iter().sum()
    }

    /// Returns the number of jobs of this queue that may start at `now`, as far as the roster knows. The
    /// store decides.
    pub(super) fn allowance(&self, now: Timestamp) -> u32 {
        if self.settings.paused || self.held.is_some_and(|(_, until)| until > now) {
            return 0;
        }
        match self.settings.max_running {
            Some(max) => max.saturating_sub(self.total_running()),
            None => u32::MAX,
        }
    }

    /// Returns the time at which a limit lets the queue start another job, if it waits for a time.
    /// `opens_at` returns when a provider may allow further calls.
    pub(super) fn wake_at(
        &self,
        opens_at: impl Fn(&ProviderName) -> Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.settings.paused {
            return None;
        }
        if let Some((_, until)) = self.held
            && until > now
        {
            return Some(until);
        }
        self.providers.iter().filter_map(opens_at).filter(|at| *at > now).min()
    }

    /// Forgets that the queue was full, because one of its jobs ended.
    pub(super) fn note_end(&mut self) {
        if matches!(self.held, Some((Held::Full, _))) {
            self.held = None;
        }
    }
}
