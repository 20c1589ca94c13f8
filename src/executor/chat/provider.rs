//! A model server as it is configured.

use awc::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use awc::http::{Method, Uri};
use bytes::Bytes;

use crate::config::ProviderConfig;
use crate::executor::chat::limits::Limits;
use crate::executor::http::check_uri;
use crate::executor::outbound::Call;

/// Why a provider cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Its `base_url` is no URL; mend it.
    #[error("the base_url of provider {name} {why}")]
    BadUrl {
        /// Which provider.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The variable that `api_key_env` names is not set; set it.
    #[error("the environment variable with the key of provider {name} is not set")]
    NoKey {
        /// Which provider.
        name: String,
    },
    /// Its key has a character that a header cannot carry, mostly a line break; mend it.
    #[error("the key of provider {name} holds a character that no header may hold")]
    BadKey {
        /// Which provider.
        name: String,
    },
}

/// A model server.
pub(super) struct Provider {
    uri: Uri,
    authorization: Option<HeaderValue>,
    /// What bounds the calls to it.
    pub(super) limits: Limits,
}

impl Provider {
    /// Reads the key.
    pub(super) fn new(name: &str, config: &ProviderConfig) -> Result<Self, ProviderError> {
        let url = format!("{}/chat/completions", config.base_url.trim_end_matches('/'));
        let uri =
            check_uri(&url).map_err(|why| ProviderError::BadUrl { name: name.to_owned(), why })?;
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
            // Its `Debug` then says nothing.
            value.set_sensitive(true);
        }
        let limits = Limits::new(config.max_running, config.requests_per_minute);
        Ok(Self { uri, authorization, limits })
    }

    /// The call that carries `body`.
    pub(super) fn call(&self, body: &Bytes) -> Call {
        let mut headers: Vec<(HeaderName, HeaderValue)> =
            vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        Call { method: Method::POST, uri: self.uri.clone(), headers, body: body.clone() }
    }
}
