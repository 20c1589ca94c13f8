//! Forms of `/v1/jobs/{id}/token` and `/v1/batches/{id}/token`.

use serde::{Deserialize, Serialize};

use crate::job::{Span, Timestamp};

/// A request for a token. Without a body, the token is valid for an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "an object with expires_in")]
pub struct TokenRequest {
    /// Time after which the token is refused, 1 s to 7 d.
    pub expires_in: Option<Span>,
}

/// A token that was just made.
///
/// It has no `Debug`, so that the token cannot reach a log.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// Text of the token.
    pub token: String,
    /// Time at which it expires.
    pub expires_at: Timestamp,
}
