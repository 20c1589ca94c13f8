//! Ends the server if a core actor dies or the database fails.
//!
//! Each core actor owns a [`Vital`]. When the actor is dropped while the server is not stopping, its
//! `Vital` reports that to the shared [`Fatal`], `Server::failed` returns, and the process ends. A
//! restart recovers the jobs that are in the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The first reason for which the server must end: a core actor that died, or a database that
/// failed. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Fatal {
    reason: watch::Sender<Option<String>>,
    is_stopping: Arc<AtomicBool>,
}

impl Fatal {
    pub(crate) fn new() -> Self {
        Self { reason: watch::Sender::new(None), is_stopping: Arc::default() }
    }

    /// Ends the server for this reason. Later reasons are ignored, and so are all reasons once the
    /// server is stopping.
    pub(crate) fn raise(&self, reason: &str) {
        if self.is_stopping.load(Ordering::SeqCst) {
            return;
        }
        self.reason.send_if_modified(|current| {
            let is_first = current.is_none();
            if is_first {
                tracing::error!(
                    reason,
                    "the server cannot continue and ends; a restart recovers the jobs that are in the database"
                );
                *current = Some(reason.to_owned());
            }
            is_first
        });
    }

    /// Notes that the server is being stopped: from now on actors may end.
    pub(crate) fn expect_stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Waits until the server must end, and returns the reason.
    pub(crate) async fn raised(&self) -> String {
        let mut reason = self.reason.subscribe();
        let first = reason.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
        first.unwrap_or_default()
    }
}

/// Field of a core actor that ends the server when the actor is dropped.
#[derive(Debug)]
pub(crate) struct Vital {
    name: &'static str,
    fatal: Fatal,
}

impl Vital {
    pub(crate) fn new(name: &'static str, fatal: &Fatal) -> Self {
        Self { name, fatal: fatal.clone() }
    }

    /// Ends the server for a reason that the actor has found.
    pub(crate) fn raise(&self, reason: &str) {
        self.fatal.raise(reason);
    }
}

impl Drop for Vital {
    fn drop(&mut self) {
        self.fatal.raise(&format!("the {} died", self.name));
    }
}
