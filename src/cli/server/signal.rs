//! The signals that stop a long-running command.

use std::io;
use std::pin::pin;

use futures_util::future;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A listener for SIGINT and SIGTERM. Once it exists, these signals no longer end the process.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Starts to listen for the signals.
    pub(crate) fn listen() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        future::select(pin!(self.interrupt.recv()), pin!(self.terminate.recv())).await;
    }
}

/// Signals that would end the process without a drain, with their names. SIGALRM comes from an alarm that
/// a wrapper set before it started the server.
const IGNORED: [(SignalKind, &str); 4] = [
    (SignalKind::hangup(), "SIGHUP"),
    (SignalKind::user_defined1(), "SIGUSR1"),
    (SignalKind::user_defined2(), "SIGUSR2"),
    (SignalKind::alarm(), "SIGALRM"),
];

/// Ignores the other signals that people and supervisors send, with a line in the log.
pub(crate) fn ignore_others() -> io::Result<()> {
    for (kind, name) in IGNORED {
        let mut signals = signal(kind)?;
        actix_web::rt::spawn(async move {
            while signals.recv().await.is_some() {
                tracing::info!(signal = name, "ignored a signal; SIGTERM or SIGINT stops the server");
            }
        });
    }
    Ok(())
}

/// Handles SIGXFSZ, so that a write beyond the file size limit fails like one on a full disk.
///
/// Without a handler the signal would end the process (signal(7)).
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    // tokio keeps the handler installed after the listener is dropped.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}
