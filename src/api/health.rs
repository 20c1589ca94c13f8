//! Form of `/healthz` and `/readyz`.

use serde::Serialize;

/// Response of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Condition of the server.
    pub status: HealthStatus,
    /// Reason why the server is [`Unwritable`](HealthStatus::Unwritable).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<HealthStatus> for Health {
    fn from(status: HealthStatus) -> Self {
        Self { status, reason: None }
    }
}

/// Condition of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// The process serves requests (`/healthz`).
    Ok,
    /// The server leases jobs (`/readyz`).
    Ready,
    /// The server is about to stop and leases no more jobs (`/readyz`).
    Draining,
    /// Nothing can be written, for example because the disk is full (`/readyz`).
    Unwritable,
}
