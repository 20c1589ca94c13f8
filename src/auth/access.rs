//! Queue access: the queues that a caller may use. All others do not exist for it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::job::QueueName;

/// Pattern of queue names: a name in which `*` is any number of characters, such as `mail` or `shop.*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueuePattern(Arc<str>);

/// Error for a text that is not a pattern of queue names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 of a-z, 0-9, '.', '_', '-' and '*', which stands for any characters")]
pub struct InvalidPattern;

impl QueuePattern {
    /// Returns the pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a queue matches the pattern.
    pub fn matches(&self, queue: &QueueName) -> bool {
        let name = queue.as_str();
        let mut parts = self.0.split('*');
        let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        let Some(end) = parts.next_back() else { return rest.is_empty() };
        // The first occurrence of each part leaves the most for those after it.
        for part in parts {
            let Some(start) = rest.find(part) else { return false };
            rest = &rest[start + part.len()..];
        }
        rest.ends_with(end)
    }
}

impl QueuePattern {
    /// Returns whether some text matches both patterns.
    ///
    /// Row by row, `reachable[j]` says whether the text so far can be matched by the start of this pattern up
    /// to the row and by the first `j` letters of the other one.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (rows, columns) = (self.0.as_bytes(), other.0.as_bytes());
        let mut reachable = vec![false; columns.len() + 1];
        reachable[0] = true;
        for (j, letter) in columns.iter().enumerate() {
            reachable[j + 1] = reachable[j] && *letter == b'*';
        }
        for row in rows {
            let above = reachable.clone();
            reachable[0] = above[0] && *row == b'*';
            for (j, column) in columns.iter().enumerate() {
                reachable[j + 1] = match (row, column) {
                    // A star matches nothing, or one more letter of the other pattern.
                    (b'*', _) | (_, b'*') => above[j] || above[j + 1] || reachable[j],
                    _ => above[j] && row == column,
                };
            }
        }
        reachable[columns.len()]
    }
}

impl FromStr for QueuePattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let is_allowed = |letter: u8| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"._-*".contains(&letter)
        };
        let is_valid =
            (1..=QueueName::MAX_LEN).contains(&text.len()) && text.bytes().all(is_allowed);
        if is_valid { Ok(Self(text.into())) } else { Err(InvalidPattern) }
    }
}

impl TryFrom<String> for QueuePattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl From<QueuePattern> for String {
    fn from(pattern: QueuePattern) -> Self {
        pattern.as_str().to_owned()
    }
}

impl fmt::Display for QueuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The queues that a caller may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum QueueAccess {
    /// All queues.
    #[default]
    All,
    /// The queues that match one of these patterns.
    Only(Arc<[QueuePattern]>),
}

impl QueueAccess {
    /// Returns the access of these patterns; all queues if there are none.
    pub fn of(patterns: &[QueuePattern]) -> Self {
        if patterns.is_empty() { Self::All } else { Self::Only(patterns.into()) }
    }

    /// Returns whether all queues may be used.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// Returns whether a queue may be used.
    pub fn allows(&self, queue: &QueueName) -> bool {
        match self {
            Self::All => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.matches(queue)),
        }
    }

    /// Returns whether some queue may be used with both.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Only(own), Self::Only(others)) => {
                own.iter().any(|own| others.iter().any(|other| own.overlaps(other)))
            }
        }
    }

    /// Returns the patterns; none if all queues may be used.
    pub fn patterns(&self) -> &[QueuePattern] {
        match self {
            Self::All => &[],
            Self::Only(patterns) => patterns,
        }
    }

    /// Returns the patterns as a JSON array, for queries; `None` if all queues may be used.
    pub fn to_json(&self) -> Option<String> {
        match self {
            Self::All => None,
            // An array of plain texts always has a JSON form; an empty one allows nothing.
            Self::Only(patterns) => Some(serde_json::to_string(&**patterns).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, queue: &str) -> bool {
        pattern.parse::<QueuePattern>().unwrap().matches(&queue.parse().unwrap())
    }

    #[test]
    fn a_star_is_any_number_of_characters_and_all_others_are_themselves() {
        for (pattern, queue) in [
            ("mail", "mail"),
            ("mail*", "mail"),
            ("mail*", "mail.eu"),
            ("*", "x"),
            ("**", "x"),
            ("*.eu", "mail.eu"),
            ("a*b*c", "a.b.b.c"),
            ("a*a", "aa"),
        ] {
            assert!(matches(pattern, queue), "{pattern} {queue}");
        }
        for (pattern, queue) in [
            ("mail", "mail2"),
            ("mail*", "email"),
            ("mail.*", "mail"),
            ("mail.*", "mailxeu"),
            ("*.eu", "mail.eu2"),
            ("a*a", "a"),
            ("a*b*b", "ab"),
        ] {
            assert!(!matches(pattern, queue), "{pattern} {queue}");
        }
        for invalid in ["", "Mail", "a b", "a?", "[a]", &"a".repeat(65)] {
            assert_eq!(invalid.parse::<QueuePattern>(), Err(InvalidPattern), "{invalid}");
        }
    }

    #[test]
    fn patterns_overlap_if_a_name_matches_both() {
        let overlap = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<QueuePattern>().unwrap());
            assert_eq!(one.overlaps(&other), other.overlaps(&one), "{one} {other}");
            one.overlaps(&other)
        };
        for (one, other) in [
            ("mail", "mail"),
            ("shop.*", "shop.mail"),
            ("shop.*", "*.mail"),
            ("*", "x"),
            ("a*c", "ab*"),
            ("a*", "a"),
            ("*a*", "*b*"),
        ] {
            assert!(overlap(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("mail", "mail2"),
            ("shop.*", "blog.*"),
            ("shop.*", "shop"),
            ("a*c", "a*d"),
            ("*.eu", "mail.us"),
        ] {
            assert!(!overlap(one, other), "{one} {other}");
        }
    }

    #[test]
    fn access_without_patterns_is_access_to_all_queues() {
        let mail: QueueName = "mail".parse().unwrap();
        assert!(QueueAccess::of(&[]).is_all() && QueueAccess::of(&[]).allows(&mail));
        let only = QueueAccess::of(&["web".parse().unwrap(), "m*".parse().unwrap()]);
        assert!(only.allows(&mail) && !only.allows(&QueueName::default()));
        assert_eq!(only.to_json().as_deref(), Some(r#"["web","m*"]"#));
    }
}
