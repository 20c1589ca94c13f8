//! Texts of clients that are repeated in an answer or a log, except for keys, tokens and webhook secrets.

use crate::auth::{secret, token, webhook};
use crate::job::problem::Quoted;

/// Length from which a word that starts like a key or token is taken for one.
const MIN_SECRET_BYTES: usize = 20;

/// What is shown in place of a text with a key or token in it.
pub(crate) const HIDDEN: &str = "(hidden: it looks like a key)";

/// Returns a text in quotes, or only what it seems to be: somebody who revokes a key may send the key in place of its
/// id.
pub(crate) fn without_secret(text: &str) -> String {
    if has_secret(text) { HIDDEN.to_owned() } else { Quoted(text).to_string() }
}

/// Returns whether a text seems to have a key, a token or a webhook secret in it.
pub(crate) fn has_secret(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let is_secret = |word: &str| {
        let is_marked = word.starts_with(secret::PREFIX) || word.starts_with(token::PREFIX);
        is_marked && word.len() >= MIN_SECRET_BYTES
    };
    // A webhook secret may have a separator after any number of characters.
    text.contains(webhook::PREFIX) || text.split(|letter| !is_part(letter)).any(is_secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_repeated() {
        let key = secret::KeySecret::from_random([7; 32]);
        let key = key.reveal();
        for text in [key, &format!("/{key}/x"), &format!("Bearer {key}"), &key[..30]] {
            assert_eq!(without_secret(text), HIDDEN, "{text}");
        }
        assert_eq!(without_secret("lt_eyJqb2IiOjF9Zm9vYmFyMTIz.c2lnbmF0dXJl"), HIDDEN);
        for text in ["whsec_AAEC", "/v1/webhook-secrets/whsec_AA/CAwQFBgcICQoLDA0ODxAREhM="] {
            assert_eq!(without_secret(text), HIDDEN, "{text}");
        }
        for text in ["emails_of_the_customers_in_europe", "ls_", "ls_short", "a b", "/v1/nothing"] {
            assert_eq!(without_secret(text), format!("{text:?}"));
        }
    }
}
