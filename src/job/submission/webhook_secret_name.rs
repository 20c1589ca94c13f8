//! Names of webhook secrets.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::job::queue::{InvalidName, is_name};

/// Name of a webhook secret, in the form of a queue name. A callback names the secret that signs it, never its value.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookSecretName(Arc<str>);

impl WebhookSecretName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebhookSecretName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_name(text) { Ok(Self(text.into())) } else { Err(InvalidName) }
    }
}

impl TryFrom<String> for WebhookSecretName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<WebhookSecretName> for String {
    fn from(name: WebhookSecretName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Debug for WebhookSecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for WebhookSecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
