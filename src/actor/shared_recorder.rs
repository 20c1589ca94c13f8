//! The counts of what happens, shared by the Writer, which counts, and those who draw charts of it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::job::recorder::Recorder;

/// Counts of what happens. Clones are the same counts.
#[derive(Clone)]
pub(crate) struct SharedRecorder(Arc<Mutex<Recorder>>);

impl SharedRecorder {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self(Arc::new(Mutex::new(recorder)))
    }

    /// Does something with the counts. Not for long: the Writer waits.
    pub(crate) fn with<T>(&self, use_them: impl FnOnce(&mut Recorder) -> T) -> T {
        // Counts are numbers: whoever panicked in the middle left none that may not be.
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
