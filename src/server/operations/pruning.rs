//! Pruning: whether old final jobs are deleted.

use crate::api::pruning::Pruning;
use crate::server::handle::Handle;

impl Handle {
    /// Returns whether old final jobs are deleted, or why not.
    pub fn pruning(&self) -> Pruning {
        let jump = self.connections().prune_hold.jump();
        Pruning {
            held: jump.is_some(),
            retention: self.config().retention,
            now: self.now(),
            last_activity_at: jump.map(|jump| jump.last_activity_at),
            held_until: jump.map(|jump| jump.held_until()),
        }
    }

    /// Confirms that the clock is right, so that old final jobs are deleted from now on. Has no effect
    /// if pruning is not held.
    pub fn confirm_pruning(&self) -> Pruning {
        if self.connections().prune_hold.release() {
            tracing::info!("pruning was confirmed: old final jobs are deleted from now on");
        }
        self.pruning()
    }
}
