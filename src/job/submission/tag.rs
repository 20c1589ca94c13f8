//! Tags of jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;

/// Maximum number of tags of a job.
pub const MAX_TAGS: usize = 10;

/// Text that clients can find a job by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

impl Tag {
    /// Maximum length of a tag, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Returns the tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Error for a text that is not a valid [`Tag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {} bytes without control characters", Tag::MAX_LEN)]
pub struct InvalidTag;

impl TryFrom<String> for Tag {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, InvalidTag> {
        let is_valid = (1..=Self::MAX_LEN).contains(&text.len());
        if is_valid && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(InvalidTag)
        }
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Validates tags. Returns the valid ones, without duplicates.
pub(super) fn check_tags(tags: Vec<String>, problems: &mut Vec<Problem>) -> Vec<Tag> {
    if tags.len() > MAX_TAGS {
        problems.push(Problem::new("/tags", format!("must have at most {MAX_TAGS} entries")));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(tags.len());
    for (index, tag) in tags.into_iter().enumerate() {
        let problem = |why: &dyn fmt::Display| Problem::new(format!("/tags/{index}"), why);
        match Tag::try_from(tag) {
            Err(error) => problems.push(problem(&error)),
            Ok(tag) if checked.contains(&tag) => {
                problems.push(problem(&"is listed more than once"))
            }
            Ok(tag) => checked.push(tag),
        }
    }
    checked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_short_and_has_no_control_characters() {
        for good in ["a", "b, c", "ü", &"x".repeat(64)] {
            assert_eq!(good.parse::<Tag>().map(|tag| tag.to_string()), Ok(good.into()));
        }
        for bad in ["", "a\n", "a\0b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Tag>(), Err(InvalidTag), "{bad}");
        }
    }
}
