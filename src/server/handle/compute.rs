//! Work on large requests, which would keep a thread of the HTTP server busy for too long.

use super::Handle;
use super::share::ByteShare;
use super::turns::TURN_TIMEOUT;
use crate::server::error::Error;

/// Requests larger than this are processed on threads of their own. A smaller one takes a few
/// milliseconds at most.
pub(crate) const LARGE_BYTES: usize = 256 << 10;

impl Handle {
    /// Runs work on a request of this size, before it has had an effect: at once if it is small, else on a
    /// thread for blocking work. As many large requests are processed at once as there are cores, and one
    /// more of [`ByteShare::Actions`]; the others wait for their turn.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if the wait takes too long, and [`Error::Stopped`] if the runtime ends
    /// meanwhile.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        share: ByteShare,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if bytes <= LARGE_BYTES {
            return Ok(work());
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Ok(work()) };
        let turn = self.inner.bounds.turns.take(share, TURN_TIMEOUT).await?;
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
