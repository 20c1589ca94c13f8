//! What the exchange with the server reports to the view.

use super::snapshot::Snapshot;

/// A change that the view has to show.
pub(super) enum Update {
    /// A new snapshot of the server, or the error of the attempt to read one.
    Snapshot(Result<Box<Snapshot>, String>),
    /// The result of an action, as text to show.
    ActionDone(Result<String, String>),
}
