//! The duty to record that the server is active.

use actix::Context;

use crate::actor::keeper::Keeper;
use crate::store::Write;

impl Keeper {
    /// Records the time, so that the next start notices a jump of the clock. While pruning is held the
    /// time may be wrong, and is not recorded: a restart would hold pruning no more.
    pub(super) fn record_activity(&mut self, _: &mut Context<Self>) {
        if self.prune_hold.jump().is_none() {
            // Done again later if it fails, as on a full disk.
            drop(self.commit(Write::RecordActivity));
        }
    }
}
