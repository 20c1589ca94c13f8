//! The parts of a commit group that do not depend on the backend.
//!
//! A backend's own commit group holds its connection and runs its statements. Its statements are typed
//! by the backend's SQL dialect, so the operations themselves are not here.

pub(crate) mod changes;
pub(crate) mod impossible;
pub(crate) mod lease_memo;
pub(crate) mod names;
mod running_deltas;
