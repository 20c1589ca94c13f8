//! What ends the server when a core actor dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// Where the end of the server is told: by a core actor that died, or a database that failed.
#[derive(Debug, Clone)]
pub(crate) struct Fatal {
    why: watch::Sender<Option<String>>,
    is_stopping: Arc<AtomicBool>,
}

impl Fatal {
    pub(crate) fn new() -> Self {
        Self { why: watch::Sender::new(None), is_stopping: Arc::default() }
    }

    /// Ends the server for this reason; the first one stays.
    pub(crate) fn raise(&self, why: &str) {
        if self.is_stopping.load(Ordering::SeqCst) {
            return;
        }
        self.why.send_if_modified(|told| {
            let is_first = told.is_none();
            if is_first {
                tracing::error!(why, "the server cannot go on and ends; a restart recovers");
                *told = Some(why.to_owned());
            }
            is_first
        });
    }

    /// From now on actors may end: the server is being stopped.
    pub(crate) fn expect_stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Waits for a reason to end.
    pub(crate) async fn raised(&self) -> String {
        let mut why = self.why.subscribe();
        let told = why.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        told.unwrap_or_default()
    }
}

/// Part of a core actor: raises the alarm where the actor ends though the server does not.
#[derive(Debug)]
pub(crate) struct Vital {
    name: &'static str,
    fatal: Fatal,
}

impl Vital {
    pub(crate) fn new(name: &'static str, fatal: &Fatal) -> Self {
        Self { name, fatal: fatal.clone() }
    }

    /// Ends the server for a reason that the actor has seen.
    pub(crate) fn raise(&self, why: &str) {
        self.fatal.raise(why);
    }
}

impl Drop for Vital {
    fn drop(&mut self) {
        self.fatal.raise(&format!("the {} died", self.name));
    }
}
