//! A configured model server.

use awc::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use awc::http::Method;
use bytes::Bytes;

use crate::config::ProviderConfig;
use crate::executor::chat::refused_calls::RefusedCalls;
use crate::executor::outbound::{Call, Target};
use crate::job::ProviderName;
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
    /// The environment variable that `api_key_env` names is not set; set it.
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
}

/// A model server with its key.
pub(super) struct Provider {
    pub(super) name: ProviderName,
    target: Target,
    authorization: Option<HeaderValue>,
    /// Calls that this server refused, for the log.
    pub(super) refused_calls: RefusedCalls,
}

impl Provider {
    /// Checks the URL and reads the key from the environment.
    pub(super) fn new(name: &str, config: &ProviderConfig) -> Result<Self, ProviderError> {
        let target = Target::parse_base(&config.base_url, "/chat/completions")
            .map_err(|why| ProviderError::BadUrl { name: name.to_owned(), why })?
            .for_provider();
        let key = config.api_key();
        if config.api_key_env.is_some() && key.is_none() {
            return Err(ProviderError::NoKey { name: name.to_owned() });
        }
        let bearer = key.map(|key| HeaderValue::try_from(format!("Bearer {}", key.reveal())));
        let mut authorization = match bearer {
            Some(Ok(bearer)) => Some(bearer),
            Some(Err(_)) => return Err(ProviderError::BadKey { name: name.to_owned() }),
            None => None,
        };
        if let Some(value) = &mut authorization {
            // Keeps the key out of `Debug` output.
            value.set_sensitive(true);
        }
        let refused_calls = RefusedCalls::new(name);
        let Ok(name) = name.parse() else {
            return Err(ProviderError::BadName { name: name.to_owned() });
        };
        Ok(Self { name, target, authorization, refused_calls })
    }

    /// Returns a chat-completions call with `body`.
    pub(super) fn call(&self, body: &Bytes) -> Call {
        let mut headers: Vec<(HeaderName, HeaderValue)> =
            vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        Call { method: Method::POST, target: self.target.clone(), headers, body: body.clone() }
    }
}
