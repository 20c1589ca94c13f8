//! Form of `/healthz` and `/readyz`.

use serde::Serialize;

/// Response of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Condition of the server.
    pub status: HealthStatus,
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
}
