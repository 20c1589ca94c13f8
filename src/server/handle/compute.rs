//! Work on large requests, which would keep a thread of the HTTP server busy for too long.

use std::sync::Arc;

use super::Handle;
use crate::server::error::Error;

/// Requests larger than this are processed on threads of their own. A smaller one takes a few
/// milliseconds at most.
pub(crate) const LARGE_BYTES: usize = 256 << 10;

impl Handle {
    /// Runs work on a request of this size: at once if it is small, else on a thread for blocking work.
    /// As many large requests are processed at once as there are cores; the others wait for their turn.
    ///
    /// # Errors
    /// Returns [`Error::Stopped`] if the runtime ends meanwhile.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if bytes <= LARGE_BYTES {
            return Ok(work());
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Ok(work()) };
        let turns = Arc::clone(&self.0.bounds.large_requests);
        let turn = turns.acquire_owned().await.map_err(|_closed| Error::Stopped)?;
        let task = runtime.spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        match task.await {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => Err(Error::Stopped),
            },
        }
    }
}
