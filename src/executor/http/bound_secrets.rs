//! Secrets from the configuration that headers of `http` jobs name, as in `"Bearer ${secret:slack}"`.
//!
//! The payload has the reference only. The value is filled in for one request, and only if the operator has
//! bound the secret to the host that is called.

use std::collections::BTreeMap;

use crate::config::{HttpUrl, Secret, SecretConfig, SecretHost};
use crate::job::problem::Quoted;
use crate::job::queue::is_name;

/// Start of a reference. Any other `${` is ordinary text.
const START: &str = "${secret:";
/// End of a reference.
const END: char = '}';

/// Error in the configuration of a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable that `value_env` names is not set; set it.
    #[error("the environment variable that holds the value of secret {name} is not set")]
    NoValue {
        /// Name of the secret.
        name: String,
    },
}

/// The configured secrets, by name.
pub(in crate::executor) struct BoundSecrets(BTreeMap<String, BoundSecret>);

/// A secret, and the hosts to which it may be sent.
struct BoundSecret {
    value: Secret,
    hosts: Vec<SecretHost>,
}

impl BoundSecrets {
    /// Reads the values from the environment.
    pub(in crate::executor) fn new(
        config: &BTreeMap<String, SecretConfig>,
    ) -> Result<Self, SecretError> {
        let secrets = config.iter().map(|(name, config)| {
            let no_value = || SecretError::NoValue { name: name.clone() };
            let value = config.value().ok_or_else(no_value)?;
            Ok((name.clone(), BoundSecret { value, hosts: config.hosts.clone() }))
        });
        secrets.collect::<Result<_, _>>().map(Self)
    }

    /// Replaces each reference in the value of a header by its secret. Adds the secrets to `used`.
    ///
    /// # Errors
    /// Returns the reason, as a predicate of the header, if a reference is malformed, or its secret must not be
    /// sent to `url`. The text does not say whether the secret exists.
    pub(super) fn fill(
        &self,
        text: &str,
        url: &HttpUrl,
        used: &mut Vec<Secret>,
    ) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(START) {
            let reference = after.split_once(END).filter(|(name, _)| is_name(name));
            let Some((name, after)) = reference else {
                return Err(format!("has a malformed reference; write {START}NAME{END}"));
            };
            let secret = self.0.get(name).filter(|secret| secret.may_be_sent_to(url));
            let Some(secret) = secret else {
                let name = Quoted(name);
                return Err(format!(
                    "secret {name} is not available for this host; see [secrets] in the configuration"
                ));
            };
            filled.push_str(before);
            filled.push_str(secret.value.reveal());
            used.push(secret.value.clone());
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

impl BoundSecret {
    fn may_be_sent_to(&self, url: &HttpUrl) -> bool {
        self.hosts.iter().any(|host| host.covers(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> BoundSecrets {
        let secret = |value: &str, host: &str| {
            let (value, hosts) = (Secret::new(value), vec![host.parse().unwrap()]);
            BoundSecret { value, hosts }
        };
        let slack = secret("xoxb-1", "hooks.slack.com");
        // The value of one secret is not read as a reference to another.
        let nested = secret("${secret:slack}", "hooks.slack.com");
        let other = secret("sesame", "*.example.com");
        let named = [("slack", slack), ("nested", nested), ("other", other)];
        BoundSecrets(named.map(|(name, secret)| (name.to_owned(), secret)).into())
    }

    fn fill(text: &str, url: &str) -> Result<(String, usize), String> {
        let mut used = Vec::new();
        let filled = secrets().fill(text, &HttpUrl::parse(url).unwrap(), &mut used);
        filled.map(|filled| (filled, used.len()))
    }

    #[test]
    fn references_are_replaced_and_other_text_is_kept() {
        for (text, filled, used) in [
            ("", "", 0),
            ("Bearer ${secret:slack}", "Bearer xoxb-1", 1),
            ("${secret:slack}${secret:slack}", "xoxb-1xoxb-1", 2),
            ("${secret:nested}", "${secret:slack}", 1),
            ("$${secret:slack}}", "$xoxb-1}", 1),
            ("${secret}, ${Secret:slack}, ${ secret:slack}, $secret:slack, ${", "", 0),
        ] {
            let filled = if filled.is_empty() { text } else { filled };
            let expected = Ok((filled.to_owned(), used));
            assert_eq!(fill(text, "https://hooks.slack.com/x"), expected, "{text}");
        }
    }

    #[test]
    fn a_malformed_reference_is_refused() {
        for text in ["${secret:", "${secret:}", "${secret:slack", "${secret:a b}", "${secret:${secret:slack}}"] {
            let why = fill(text, "https://hooks.slack.com/").unwrap_err();
            assert!(why.contains("malformed"), "{text}: {why}");
        }
    }

    #[test]
    fn a_secret_of_another_host_is_refused_like_one_that_does_not_exist() {
        for url in [
            "https://evil.example/",
            "http://hooks.slack.com/",
            "https://hooks.slack.com:8443/",
            "https://hooks.slack.com.evil.example/",
            "https://a.hooks.slack.com/",
        ] {
            let unbound = fill("${secret:slack}", url).unwrap_err();
            let unknown = fill("${secret:slick}", url).unwrap_err();
            assert_eq!(unbound, unknown.replace("slick", "slack"), "{url}");
        }
        let why = fill("${secret:slack} ${secret:other}", "https://hooks.slack.com/").unwrap_err();
        assert!(why.contains("secret \"other\" is not available for this host"), "{why}");
    }
}
