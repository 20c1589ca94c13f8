//! Pruning: whether old final jobs are deleted.

use crate::api::pruning::Pruning;
use crate::server::error::Error;
use crate::server::handle::Handle;

impl Handle {
    /// Returns whether old final jobs are deleted, or why not.
    ///
    /// # Errors
    /// Returns [`Error::Forbidden`] if the principal may only use some queues.
    pub fn pruning(&self) -> Result<Pruning, Error> {
        self.check_all_queues()?;
        let jump = self.connections().prune_hold.jump();
        Ok(Pruning {
            held: jump.is_some(),
            retention: self.config().retention,
            now: self.now(),
            last_activity_at: jump.map(|jump| jump.last_activity_at),
            held_until: jump.map(|jump| jump.held_until()),
        })
    }

    /// Confirms that the clock is right, so that old final jobs are deleted from now on. Has no effect
    /// if pruning is not held.
    ///
    /// # Errors
    /// Returns [`Error::Forbidden`] if the principal may only use some queues.
    pub fn confirm_pruning(&self) -> Result<Pruning, Error> {
        self.check_all_queues()?;
        if self.connections().prune_hold.release() {
            tracing::info!("pruning was confirmed: old final jobs are deleted from now on");
        }
        self.pruning()
    }
}
