//! Whether the database can be written, for the readiness probe.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::actor::message::WriteError;

/// The error of the last transactions, if nothing could be written. Clones share the state.
#[derive(Clone, Default)]
pub(crate) struct WriteHealth(Arc<Mutex<Option<WriteError>>>);

impl WriteHealth {
    /// Notes that nothing could be written. Returns whether the transaction before could be.
    pub(super) fn fail(&self, error: &WriteError) -> bool {
        self.lock().replace(error.clone()).is_none()
    }

    /// Notes that a transaction was written. Returns whether nothing could be written before.
    pub(super) fn recover(&self) -> bool {
        mem::take(&mut *self.lock()).is_some()
    }

    /// Returns the reason for which nothing can be written, or `None` if writing works.
    pub(crate) fn failure(&self) -> Option<WriteError> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<WriteError>> {
        // The value is replaced whole, so a panic leaves a valid one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
