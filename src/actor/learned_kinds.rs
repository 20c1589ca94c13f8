//! The learned kinds in memory, and the lock under which they are stored.

use std::sync::{Mutex, PoisonError};

use tokio::sync::MutexGuard;

use crate::roster::LearnedKinds;

/// The kinds that remote workers made known, in memory.
#[derive(Debug)]
pub(crate) struct SharedLearnedKinds {
    kinds: Mutex<LearnedKinds>,
    changes: tokio::sync::Mutex<()>,
}

impl SharedLearnedKinds {
    pub(crate) fn new(kinds: LearnedKinds) -> Self {
        Self { kinds: Mutex::new(kinds), changes: tokio::sync::Mutex::new(()) }
    }

    /// Reads or changes the kinds in memory.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut LearnedKinds) -> T) -> T {
        // A poisoned lock is safe to use: every intermediate state of the kinds is valid.
        act(&mut self.kinds.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until no other change is under way. Hold the guard from a change in memory to the end of its
    /// write, so that the writes have the order of the changes.
    pub(crate) async fn start_change(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().await
    }
}
