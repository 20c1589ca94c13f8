//! The periodic duties that a backend lists.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::Keeper;
use crate::actor::message::Read;
use crate::store::BackendDuty;

impl Keeper {
    /// Has a Reader do a duty of the backend.
    pub(super) fn do_backend_duty(&mut self, duty: &'static BackendDuty, ctx: &mut Context<Self>) {
        let (name, run) = (duty.name, duty.run);
        let done = self.peers.backend.send(Read::new(move |store, _| run(store)));
        ctx.spawn(done.into_actor(self).map(move |done, _, _| match done {
            Ok(Ok(what)) => tracing::debug!(duty = name, "{what}"),
            Ok(Err(error)) => tracing::warn!(duty = name, %error, "a duty of the database failed"),
            // The Reader is gone: the server is ending.
            Err(_) => {}
        }));
    }
}
