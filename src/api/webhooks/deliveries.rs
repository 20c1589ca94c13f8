//! Forms of `/v1/jobs/{id}/deliveries` and `/v1/batches/{id}/deliveries`.

use serde::{Deserialize, Serialize};

use crate::job::submission::on_end::delivery_status::DeliveryStatus;

/// The latest deliveries of the webhook of a job or batch, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with deliveries")]
pub struct DeliveryList {
    /// The deliveries.
    pub deliveries: Vec<DeliveryStatus>,
}
