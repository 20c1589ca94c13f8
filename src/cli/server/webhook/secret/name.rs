//! The argument that names a webhook secret.

use crate::auth::hidden;
use crate::cli::error::CliError;
use crate::job::WebhookSecretName;

/// Parses the name of a webhook secret. The parser of the command line would repeat a text that it refuses, and
/// somebody may give the value of a secret in place of its name.
pub(super) fn parse(text: &str) -> Result<WebhookSecretName, CliError> {
    text.parse().map_err(|error| {
        CliError::Usage(format!("the name {}: {error}", hidden::without_secret(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::webhook::WebhookSecret;

    #[test]
    fn the_value_of_a_secret_is_not_repeated() {
        assert_eq!(parse("shop.eu").unwrap().as_str(), "shop.eu");
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert!(error("My Shop").starts_with("the name \"My Shop\": must be 1 to 64"));
        let value = WebhookSecret::from_bytes([7; 32]).reveal();
        assert!(!error(&value).contains(&value[6..16]), "{}", error(&value));
    }
}
