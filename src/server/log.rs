//! What the attempts of a job said.

use crate::actor::message::GetLog;
use crate::job::{JobId, Log};
use crate::server::error::Error;
use crate::server::handle::Handle;

impl Handle {
    /// The end of a job's log, as far as it comes after a position; at most
    /// [`MAX_LOG_BYTES`](crate::job::log::MAX_LOG_BYTES).
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such job.
    pub async fn log(&self, id: JobId, after: u64) -> Result<Log, Error> {
        let _permit = self.point_read_permit()?;
        let points = &self.connections().point_reads;
        self.read(points, GetLog(id, after)).await?.ok_or_else(|| Error::no_job(id))
    }
}
