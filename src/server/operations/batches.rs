//! Calls on one batch: its results, and its close.

use std::time::{Duration, Instant};

use crate::job::batch::Batch;
use crate::job::{BatchId, JobId};
use crate::server::error::Error;
use crate::server::handle::{Handle, MAX_WAIT};
use crate::store::{Refusal, ResultPage, ResultQuery, Write};

/// Maximum number of results on a page.
pub const MAX_RESULTS: u32 = 1_000;

/// Number of bytes of results at which a page ends early.
const MAX_PAGE_BYTES: usize = 8 << 20;

impl Handle {
    /// Returns one page of the results of a batch, in the order of submission: at most `limit` jobs with an
    /// id above `after`. A page ends early if its results have more than 8 MiB.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn batch_results(
        &self,
        batch: BatchId,
        after: JobId,
        limit: u32,
    ) -> Result<ResultPage, Error> {
        let max_bytes = MAX_PAGE_BYTES;
        self.read_results(ResultQuery { batch, after, limit, max_bytes }).await
    }

    /// Returns one page as [`Handle::batch_results`] does, as soon as its first job is final or `span` is over,
    /// which counts up to [`MAX_WAIT`].
    ///
    /// # Errors
    /// The same as [`Handle::batch_results`], and [`Error::Overloaded`] if too many clients wait already.
    pub async fn wait_batch_results(
        &self,
        batch: BatchId,
        after: JobId,
        limit: u32,
        span: Duration,
    ) -> Result<ResultPage, Error> {
        let end = Instant::now() + span.min(MAX_WAIT);
        let page = self.batch_results(batch, after, limit).await?;
        let Some(first) = page.results.first().filter(|first| !first.state.is_final()) else {
            return Ok(page);
        };
        match self.wait(first.id, end.saturating_duration_since(Instant::now())).await {
            // It was deleted, so another job is the first one.
            Ok(_) | Err(Error::Refused(Refusal::NoJob(_))) => {}
            Err(error) => return Err(error),
        }
        self.batch_results(batch, after, limit).await
    }

    /// Returns one page of the results of a batch.
    pub(crate) async fn read_results(&self, query: ResultQuery) -> Result<ResultPage, Error> {
        let _permit = self.list_read_permit()?;
        let page = self.list_read(move |store, _| store.batch_results(&query)).await?;
        let ResultPage { results, next } = page.ok_or_else(|| Error::no_batch(query.batch))?;
        let results = results.into_iter().map(|result| self.shown(result)).collect();
        Ok(ResultPage { results, next })
    }

    /// Closes an open batch: no more jobs can be added, and it ends with the last of its jobs, at once if none is
    /// left. A batch that is closed already stays as it is.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn close_batch(&self, id: BatchId) -> Result<Batch, Error> {
        let _permit = self.point_read_permit()?;
        self.write(self.within_access(Write::CloseBatch(id)), 0).await?;
        self.read_batch(id).await
    }
}
