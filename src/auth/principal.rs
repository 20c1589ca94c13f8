//! Principals: on whose behalf a request is made.

use std::sync::Arc;

use crate::auth::access::QueueAccess;
use crate::auth::key_id::KeyId;
use crate::auth::scope::Scopes;

/// On whose behalf a request is made, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// API key of the request; `None` if no key is needed.
    pub key: Option<KeyId>,
    /// What the request may do.
    pub scopes: Scopes,
    /// Queues that the request may use.
    pub queues: QueueAccess,
}

impl Principal {
    /// The application that embeds the server, or a request that needs no key. It may do everything.
    pub const TRUSTED: Self = Self { key: None, scopes: Scopes::ADMIN, queues: QueueAccess::All };

    /// Returns the principal of a request without a key, to a route that needs none. It may do nothing, and
    /// no queue exists for it.
    pub fn nobody() -> Self {
        let queues = QueueAccess::Only(Arc::from([]));
        Self { key: None, scopes: Scopes::default(), queues }
    }
}
