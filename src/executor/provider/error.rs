//! Errors in the configuration of a provider.

use crate::job::queue::InvalidName;

/// Error in the configuration of a provider.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The name is not valid; it must have the form of a queue name. Choose another one.
    #[error("the name of provider {name} is invalid: {}", InvalidName)]
    BadName {
        /// Name of the provider.
        name: String,
    },
    /// The `base_url` is not a valid URL; correct it.
    #[error("the base_url of provider {name} {why}")]
    BadUrl {
        /// Name of the provider.
        name: String,
        /// Problem of the URL, as a predicate.
        why: String,
    },
    /// The environment variable that `api_key_env` or `auth.value_env` names is not set; set it.
    #[error("the environment variable that holds the key of provider {name} is not set")]
    NoKey {
        /// Name of the provider.
        name: String,
    },
    /// The key contains a character that is not allowed in a header, usually a line break; correct
    /// the variable.
    #[error("the key of provider {name} contains a character that is not allowed in a header")]
    BadKey {
        /// Name of the provider.
        name: String,
    },
    /// A header in `headers` or `auth` has an invalid name or value; correct it.
    #[error("the header {header} of provider {name} is not valid")]
    BadHeader {
        /// Name of the provider.
        name: String,
        /// Name of the header.
        header: String,
    },
}

impl ProviderError {
    /// Returns the error for a header of a provider.
    pub(super) fn bad_header(name: &str, header: &str) -> Self {
        Self::BadHeader { name: name.to_owned(), header: header.to_owned() }
    }
}
