//! The turns of large requests, which bound how many are processed at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::share::ByteShare;
use crate::server::error::Error;

/// Maximum time that a large request waits for its turn.
pub(super) const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// The turns of large requests.
pub(super) struct Turns {
    /// One for each core.
    usual: Arc<Semaphore>,
    /// One more for reports, bulk actions and small forms, so that they never wait behind submissions.
    actions: Arc<Semaphore>,
}

impl Turns {
    pub(super) fn new(cores: usize) -> Self {
        Self { usual: Arc::new(Semaphore::new(cores)), actions: Arc::new(Semaphore::new(1)) }
    }

    /// Waits for a turn, at most for `max_wait`.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there is none in time.
    pub(super) async fn take(
        &self,
        share: ByteShare,
        max_wait: Duration,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let usual = Arc::clone(&self.usual).acquire_owned();
        let turn = async {
            match share {
                ByteShare::Submissions => usual.await,
                ByteShare::Actions => tokio::select! {
                    turn = usual => turn,
                    turn = Arc::clone(&self.actions).acquire_owned() => turn,
                },
            }
        };
        match timeout(max_wait, turn).await {
            Ok(turn) => turn.map_err(|_closed| Error::Stopped),
            Err(_elapsed) => Err(Error::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_gets_a_turn_while_submissions_wait_and_none_waits_without_end() {
        actix_rt::System::new().block_on(async {
            let turns = Turns::new(2);
            let take = |share| turns.take(share, Duration::from_millis(50));
            let first = take(ByteShare::Submissions).await.unwrap();
            let _second = take(ByteShare::Submissions).await.unwrap();
            let report = take(ByteShare::Actions).await.unwrap();
            for share in [ByteShare::Submissions, ByteShare::Actions] {
                assert!(matches!(take(share).await, Err(Error::Overloaded)), "{share:?}");
            }
            drop(first);
            let usual = take(ByteShare::Actions).await.unwrap();
            drop(report);
            let _own = take(ByteShare::Actions).await.unwrap();
            drop(usual);
            assert!(take(ByteShare::Submissions).await.is_ok());
        });
    }
}
