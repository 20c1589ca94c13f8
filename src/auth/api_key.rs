//! API keys as they are stored and listed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::auth::access::{QueueAccess, QueuePattern};
use crate::auth::key_id::KeyId;
use crate::auth::principal::Principal;
use crate::auth::scope::{Scope, Scopes};
use crate::auth::secret::KeyDigest;
use crate::job::Timestamp;

/// Maximum number of queue patterns of a key.
pub const MAX_PATTERNS: usize = 32;

/// Name of an API key: 1 to 64 printable characters, without space at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(Arc<str>);

/// Error for a text that is not the name of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 printable characters, without space at either end")]
pub struct InvalidKeyName;

impl KeyName {
    /// Maximum number of characters.
    pub const MAX_CHARS: usize = 64;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = InvalidKeyName;

    fn from_str(text: &str) -> Result<Self, InvalidKeyName> {
        let is_valid = (1..=Self::MAX_CHARS).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(is_hidden);
        if is_valid { Ok(Self(text.into())) } else { Err(InvalidKeyName) }
    }
}

/// Returns whether a character is not shown, or changes how its neighbours are shown: controls, line and
/// paragraph separators, marks of the direction of text, and characters without a width.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

impl TryFrom<String> for KeyName {
    type Error = InvalidKeyName;

    fn try_from(text: String) -> Result<Self, InvalidKeyName> {
        text.parse()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An API key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a key as an object")]
pub struct ApiKey {
    /// Id of the key, which is never reused.
    pub id: KeyId,
    /// Name, which no other key has that is not revoked.
    pub name: KeyName,
    /// What the key may do.
    pub scopes: Scopes,
    /// Queues that the key may use; all if there is no pattern.
    pub queues: Vec<QueuePattern>,
    /// Time at which the key was created.
    pub created_at: Timestamp,
    /// Time from which on the key is refused; `None` if it never expires.
    pub expires_at: Option<Timestamp>,
    /// Time at which the key was revoked; `None` if it was not.
    pub revoked_at: Option<Timestamp>,
    /// Time of the last request with the key, to the minute; `None` if there was none.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Returns whether requests with the key are accepted at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Returns whether the key may make and revoke other keys.
    pub fn is_unbound_admin(&self) -> bool {
        is_unbound_admin(self.scopes, &self.queues)
    }

    /// Returns on whose behalf requests with the key are made.
    pub fn principal(&self) -> Principal {
        let queues = QueueAccess::of(&self.queues);
        Principal { key: Some(self.id), scopes: self.scopes, queues }
    }
}

/// An API key to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Name, which no key may have that is not revoked.
    pub name: KeyName,
    /// What the key may do; at least one scope.
    pub scopes: Scopes,
    /// Queues that the key may use; all if there is no pattern.
    pub queues: Vec<QueuePattern>,
    /// Time from which on the key is refused; `None` if it never expires.
    pub expires_at: Option<Timestamp>,
}

impl NewKey {
    /// Returns a key that may do everything and never expires.
    pub fn admin(name: KeyName) -> Self {
        Self { name, scopes: Scopes::ADMIN, queues: Vec::new(), expires_at: None }
    }

    /// Returns whether the key may make and revoke other keys.
    pub fn is_unbound_admin(&self) -> bool {
        is_unbound_admin(self.scopes, &self.queues)
    }

    /// Returns what is wrong with the key, with a JSON pointer to the field of a request to create it.
    pub fn problem(&self, now: Timestamp) -> Option<(&'static str, String)> {
        if self.name.as_str().bytes().all(|letter| letter.is_ascii_digit()) {
            let why = "must not consist of digits only, because it would look like the id of a key";
            return Some(("/name", why.into()));
        }
        if self.scopes.is_empty() {
            return Some(("/scopes", "must list at least one of submit, read, work, admin".into()));
        }
        if self.queues.len() > MAX_PATTERNS {
            return Some(("/queues", format!("must list at most {MAX_PATTERNS} patterns")));
        }
        if self.expires_at.is_some_and(|expires_at| expires_at <= now) {
            let why = "must be longer than 0s: the key would have expired already";
            return Some(("/expires_in", why.into()));
        }
        None
    }
}

fn is_unbound_admin(scopes: Scopes, queues: &[QueuePattern]) -> bool {
    scopes.has_any(Scopes::of(&[Scope::Admin])) && queues.is_empty()
}

/// Returns whether any of the keys is valid at `now` and may make other keys. Without one, new keys can only be made
/// in the database.
pub(crate) fn can_make_keys<'a>(
    keys: impl IntoIterator<Item = &'a ApiKey>,
    now: Timestamp,
) -> bool {
    keys.into_iter().any(|key| key.is_valid_at(now) && key.is_unbound_admin())
}

/// A stored API key: with the digest of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key.
    pub key: ApiKey,
    /// Digest of its secret.
    pub digest: KeyDigest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        for valid in ["a", "web shop", "Büro 7", &"é".repeat(64), "日本", "a/b:c"] {
            assert!(valid.parse::<KeyName>().is_ok(), "{valid}");
        }
        let hidden =
            ["a\u{202e}b", "a\u{200b}", "\u{feff}a", "a\u{2028}b", "a\u{7f}", "a\u{e0041}"];
        let others = ["", " a", "a ", "a\nb", "\u{0}", "a\tb", "\u{a0}a"];
        for invalid in others.into_iter().chain(hidden).chain([&*"a".repeat(65)]) {
            assert_eq!(invalid.parse::<KeyName>(), Err(InvalidKeyName), "{invalid:?}");
        }
    }

    #[test]
    fn a_key_ends_at_its_expiry_and_when_it_is_revoked() {
        let at = Timestamp::from_millis;
        let mut key = ApiKey {
            id: KeyId(1),
            name: "a".parse().unwrap(),
            scopes: Scopes::ADMIN,
            queues: Vec::new(),
            created_at: at(0),
            expires_at: Some(at(10)),
            revoked_at: None,
            last_used_at: None,
        };
        assert!(key.is_valid_at(at(9)) && !key.is_valid_at(at(10)));
        (key.expires_at, key.revoked_at) = (None, Some(at(5)));
        assert!(!key.is_valid_at(at(6)));
    }

    #[test]
    fn a_new_key_has_a_scope_and_a_future() {
        let now = Timestamp::from_millis(5);
        let key = NewKey::admin("a".parse().unwrap());
        assert!(key.problem(now).is_none() && key.is_unbound_admin());
        let pointer = |key: NewKey| key.problem(now).map(|(pointer, _)| pointer);
        assert_eq!(pointer(NewKey { scopes: Scopes::default(), ..key.clone() }), Some("/scopes"));
        assert_eq!(pointer(NewKey { expires_at: Some(now), ..key.clone() }), Some("/expires_in"));
        let of_digits = NewKey::admin("007".parse().unwrap());
        assert_eq!(pointer(of_digits), Some("/name"));
        let patterns = vec!["a*".parse().unwrap(); MAX_PATTERNS + 1];
        let bound = NewKey { queues: patterns, ..key };
        assert!(!bound.is_unbound_admin());
        assert_eq!(pointer(bound), Some("/queues"));
    }
}
