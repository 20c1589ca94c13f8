//! The signals that end a long command.

use std::io;

use futures_util::future::{self, Either};
use tokio::signal::unix::{SignalKind, signal};

/// Ends at the first SIGINT or SIGTERM. It listens from the call on, not from the first poll.
///
/// # Errors
/// Where the signals cannot be listened for.
pub(super) fn stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let first = future::select(Box::pin(interrupt.recv()), Box::pin(terminate.recv())).await;
        match first {
            Either::Left(_) | Either::Right(_) => {}
        }
    })
}
