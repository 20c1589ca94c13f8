//! The signals that end a long command.

use std::io;
use std::pin::pin;

use futures_util::future;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, which no longer end the process by themselves once this listens.
#[derive(Debug)]
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Begins to listen.
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        future::select(pin!(self.interrupt.recv()), pin!(self.terminate.recv())).await;
    }
}

/// Makes a write past the limit on file sizes an error, as on a full disk, and no longer the end of
/// the process.
pub(super) fn survive_file_size_limit() -> io::Result<()> {
    // The handler stays though nobody listens to it.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}
