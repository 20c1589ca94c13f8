//! The counts of what happens, shared by the Writer, which counts, and those who draw charts of it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::job::tallies::Tallies;

/// Counts of what happens. Clones are the same counts.
#[derive(Clone)]
pub(crate) struct Tallying(Arc<Mutex<Tallies>>);

impl Tallying {
    pub(crate) fn new(tallies: Tallies) -> Self {
        Self(Arc::new(Mutex::new(tallies)))
    }

    /// Does something with the counts. Not for long: the Writer waits.
    pub(crate) fn with<T>(&self, use_them: impl FnOnce(&mut Tallies) -> T) -> T {
        // Counts are numbers: whoever panicked in the middle left none that may not be.
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
