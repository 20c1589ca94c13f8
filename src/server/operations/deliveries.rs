//! Deliveries of webhooks: lists them, and sends one again.

use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::{BatchId, JobId};
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::{Refusal, Write};

/// Maximum number of deliveries in a list, the latest ones. A job or batch has one for each of its ends, so it
/// has several only if it was retried.
pub const MAX_DELIVERIES: u32 = 50;

impl Handle {
    /// Lists the latest deliveries of a job's webhook, at most [`MAX_DELIVERIES`], oldest first.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist.
    pub async fn deliveries_of_job(&self, id: JobId) -> Result<Vec<DeliveryStatus>, Error> {
        self.deliveries(Owner::Job(id)).await?.ok_or_else(|| Error::no_job(id))
    }

    /// Lists the latest deliveries of a batch's webhook, at most [`MAX_DELIVERIES`], oldest first.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn deliveries_of_batch(&self, id: BatchId) -> Result<Vec<DeliveryStatus>, Error> {
        self.deliveries(Owner::Batch(id)).await?.ok_or_else(|| Error::no_batch(id))
    }

    /// Sends a webhook of a job or batch again: retries the job that delivers it. The body and the
    /// `webhook-id` stay the same.
    ///
    /// The principal must be allowed to use the queue of the job or batch, and need not be allowed to use
    /// that of the deliveries.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job or batch does not exist or has no such delivery, or if the
    /// delivery runs or is about to run.
    pub async fn retry_delivery(
        &self,
        owner: Owner,
        delivery: JobId,
    ) -> Result<DeliveryStatus, Error> {
        let _permit = self.point_read_permit()?;
        self.delivery_of(owner, delivery).await?;
        self.write(Write::Retry(delivery), 0).await?;
        self.delivery_of(owner, delivery).await
    }

    /// Returns the job or batch that a delivery belongs to, if it exists for the principal. `None` for a job
    /// that delivers no webhook.
    #[cfg(feature = "pages")]
    pub(crate) async fn owner_of_delivery(&self, id: JobId) -> Result<Option<Owner>, Error> {
        let _permit = self.point_read_permit()?;
        let found = self.point_read(move |store, _| store.delivery(id)).await?;
        Ok(found.map(|(owner, _)| owner))
    }

    async fn deliveries(&self, owner: Owner) -> Result<Option<Vec<DeliveryStatus>>, Error> {
        let _permit = self.list_read_permit()?;
        let found = self.list_read(move |store, _| store.deliveries(owner, MAX_DELIVERIES)).await?;
        Ok(found.map(|found| found.into_iter().map(|delivery| self.shown(delivery)).collect()))
    }

    /// Reads a delivery of a job or batch. The caller must hold a permit.
    async fn delivery_of(&self, owner: Owner, id: JobId) -> Result<DeliveryStatus, Error> {
        let found = self.point_read(move |store, _| store.delivery(id)).await?;
        match found {
            Some((found, status)) if found == owner => Ok(status),
            _ => Err(Error::Refused(Refusal::NoDelivery(owner, id))),
        }
    }
}
