//! A successful response.

use crate::job::Json;

/// A successful response: the decoded value and the JSON text it was decoded from.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// Decoded value.
    pub value: T,
    /// JSON text as the server sent it.
    pub json: Json,
}
