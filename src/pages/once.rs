//! Forms that are sent twice: by a double click, or anew by a reload.
//!
//! Each page that is shown has a word of its own in its forms. The same form with the same word
//! leads to what it has submitted before.

use std::hash::{BuildHasher, RandomState};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::pages::fields::Fields;
use crate::store::IdempotencyKey;

/// A word that no other page has, and that nobody guesses.
pub(super) fn word() -> String {
    // Each state hashes with keys that come from the system's random numbers.
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}

/// The key for what a form submits, where it has a word. A form that was changed has another key.
///
/// # Errors
/// What is submitted cannot be written as JSON.
pub(super) fn key(
    fields: &Fields,
    what: &impl Serialize,
) -> Result<Option<IdempotencyKey>, serde_json::Error> {
    let Some(word) = fields.word("once") else { return Ok(None) };
    let text = serde_json::to_vec(what)?;
    let digest = Sha256::new().chain_update(word).chain_update("\0").chain_update(text).finalize();
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(IdempotencyKey { key: format!("form-{digits}"), fingerprint: digest.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_form_has_the_same_key_until_it_is_changed() {
        let (one, other) = (word(), word());
        assert_ne!(one, other);
        let key = |word: &str, what: &str| {
            let fields = Fields::parse(&format!("once={word}")).unwrap();
            key(&fields, &what).unwrap().map(|key| key.key)
        };
        assert_eq!(key(&one, "a"), key(&one, "a"));
        assert_ne!(key(&one, "a"), key(&one, "b"));
        assert_ne!(key(&one, "a"), key(&other, "a"));
        assert_eq!(key("", "a"), None);
    }
}
