//! The duties of the Keeper that depend on the time, done at once for a test that moved the clock.

use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::{Answer, MOVE_AT_ONCE, MoveSummary, Write};

impl Handle {
    /// Queues the jobs that are due. Returns how many there were, and when the next job is due.
    ///
    /// # Errors
    /// Returns the error of the write, as [`Handle::submit`] does.
    pub(crate) async fn stage_due(&self) -> Result<MoveSummary, Error> {
        let mut count = 0;
        loop {
            let moved = self.move_jobs(Write::Stage { limit: MOVE_AT_ONCE }).await?;
            count += moved.count;
            if moved.count < MOVE_AT_ONCE as usize {
                return Ok(MoveSummary { count, ..moved });
            }
        }
    }

    /// Cancels the jobs that have expired.
    ///
    /// # Errors
    /// Returns the error of the write, as [`Handle::cancel`] does.
    pub(crate) async fn expire_due(&self) -> Result<(), Error> {
        let limit = MOVE_AT_ONCE;
        while self.move_jobs(Write::Expire { limit }).await?.count >= limit as usize {}
        Ok(())
    }

    async fn move_jobs(&self, write: Write) -> Result<MoveSummary, Error> {
        match self.write(write, 0).await? {
            Answer::Moved(moved) => Ok(moved),
            _ => Err(Error::Unknown),
        }
    }
}
