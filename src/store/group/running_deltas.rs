//! By how much the numbers of running and unfinished jobs have changed so far in a commit group.
//!
//! The counts in the tables are updated at the end of a group. A lease in it must know them before.

use std::collections::HashMap;

use crate::job::{Change, KeyId, ProviderName, QueueName, State};

/// Changes of the number of running jobs, by queue and by provider, and of unfinished jobs by API key, over the
/// first changes of a group.
#[derive(Debug, Default)]
pub(super) struct RunningDeltas {
    /// Number of changes that are added up.
    added: usize,
    queues: HashMap<QueueName, i64>,
    providers: HashMap<ProviderName, i64>,
    keys: HashMap<KeyId, i64>,
}

impl RunningDeltas {
    /// Adds up those changes that were recorded since the last call.
    fn add_up(&mut self, changes: &[Change]) {
        for change in &changes[self.added..] {
            if let Some(key) = change.key {
                *self.keys.entry(key).or_default() += change.unfinished_delta();
            }
            let is_running = |state| i64::from(state == Some(State::Running));
            let delta = is_running(change.to) - is_running(change.from);
            if delta == 0 {
                continue;
            }
            match self.queues.get_mut(&change.queue) {
                Some(queue) => *queue += delta,
                None => *self.queues.entry(change.queue.clone()).or_default() += delta,
            }
            if let Some(provider) = &change.provider {
                *self.providers.entry(provider.clone()).or_default() += delta;
            }
        }
        self.added = changes.len();
    }

    pub(super) fn of_queue(&mut self, queue: &QueueName, changes: &[Change]) -> i64 {
        self.add_up(changes);
        self.queues.get(queue).copied().unwrap_or(0)
    }

    pub(super) fn of_key(&mut self, key: KeyId, changes: &[Change]) -> i64 {
        self.add_up(changes);
        self.keys.get(&key).copied().unwrap_or(0)
    }

    pub(super) fn of_provider(&mut self, provider: &ProviderName, changes: &[Change]) -> i64 {
        self.add_up(changes);
        self.providers.get(provider).copied().unwrap_or(0)
    }
}
