//! Reads of a job's log.

use crate::job::{JobId, Log};
use crate::server::error::Error;
use crate::server::handle::Handle;

impl Handle {
    /// Returns the part of a job's log after the position `after`, a number of bytes from the start.
    ///
    /// At most the last [`MAX_LOG_BYTES`](crate::job::log::MAX_LOG_BYTES) are kept, so the returned part
    /// may start later than asked for; its `from` says where.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist, and [`Error::Overloaded`] if too many reads
    /// are in progress.
    pub async fn log(&self, id: JobId, after: u64) -> Result<Log, Error> {
        let _permit = self.point_read_permit()?;
        let log = self.point_read(move |store, _| store.log(id, after)).await?;
        log.ok_or_else(|| Error::no_job(id))
    }
}
