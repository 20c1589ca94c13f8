//! How a server on a network is started with a key, and how clients show theirs.

use longshore::auth::secret::KeySecret;

use crate::hosts::Hosts;
use crate::kit::{Server, Setup};

/// What a client shows to the server.
#[derive(Clone)]
pub(crate) struct Access {
    /// Text of its API key, or `None` for a client without one.
    key: Option<String>,
}

impl Access {
    /// Returns the access by a new key, which [`start`] gives to a server as its first one.
    pub(crate) fn with_new_key() -> Self {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).unwrap();
        Self::with_key(KeySecret::from_random(bits).reveal())
    }

    /// Returns the access by a key.
    pub(crate) fn with_key(secret: &str) -> Self {
        Self { key: Some(secret.into()) }
    }

    /// Returns the access of a client without a key.
    pub(crate) fn without_key() -> Self {
        Self { key: None }
    }

    /// Returns the text of the key, if there is one.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the variables of programs that call the server.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.secret().map(|secret| ("LONGSHORE_KEY", secret)).into_iter()
    }

    /// Returns the options of curl.
    pub(crate) fn curl_options(&self) -> Vec<String> {
        let header = |secret| vec!["-H".into(), format!("Authorization: Bearer {secret}")];
        self.secret().map(header).unwrap_or_default()
    }
}

/// Starts a server on the host of the servers, whose first key is that of `access`. `setup` has its listeners.
pub(crate) fn start(hosts: &Hosts, setup: Setup, access: &Access) -> Server {
    let setup = match access.secret() {
        Some(secret) => setup.env("LONGSHORE_FIRST_KEY", secret),
        None => setup,
    };
    setup.wrapper(&hosts.on_server()).start()
}
