//! The duties about API keys: to end expired ones, and to store when they were used last.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::Keeper;
use crate::store::Write;

impl Keeper {
    /// Ends the streams and waits of keys that have expired. New requests look at the time themselves.
    pub(super) fn end_expired_keys(&mut self, _: &mut Context<Self>) {
        self.peers.keyring.end_expired(self.clock.now());
    }

    /// Stores when keys were used last, with one write for all keys.
    pub(super) fn store_key_uses(&mut self, ctx: &mut Context<Self>) {
        let uses = self.peers.keyring.unstored_uses();
        if uses.is_empty() {
            return;
        }
        let stored = self.commit(Write::TouchKeys(uses.clone())).into_actor(self);
        ctx.spawn(stored.map(move |result, keeper, _| {
            // If it failed, as on a full disk, it is done again after the next minute.
            if matches!(result, Some(Ok(_))) {
                keeper.peers.keyring.note_stored(&uses);
            }
        }));
    }
}
