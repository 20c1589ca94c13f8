//! Calls to other servers.

/// Why no calls can be made.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {}
