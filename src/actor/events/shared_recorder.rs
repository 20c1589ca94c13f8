//! The recorder of counters, shared by the Writer, which records, and the readers of charts.

use std::sync::{Arc, Mutex, PoisonError};

use crate::metrics::recorder::Recorder;

/// Shared access to the recorder. Clones share the same recorder.
#[derive(Clone)]
pub(crate) struct SharedRecorder(Arc<Mutex<Recorder>>);

impl SharedRecorder {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self(Arc::new(Mutex::new(recorder)))
    }

    /// Calls `f` with the recorder. It must return quickly, because the Writer waits for the lock.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        // A poisoned lock is safe to use: every intermediate state of the counters is valid.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
