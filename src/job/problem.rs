//! Problems of an input: what is wrong and where.

pub mod adapter;
mod bounded_error;
pub mod bounded_list;
pub mod encoding;
pub(crate) mod repair;
mod list;
mod short;

use std::fmt;

use serde::de::DeserializeSeed;
use serde::{Deserialize, Serialize};

use crate::job::problem::adapter::{any_structs, object_structs};
use crate::job::problem::bounded_error::Bounded;
use crate::job::problem::list::ListSeed;
use crate::job::problem::short::{MAX_SHORT_BYTES, shortened, start};

pub use list::{CountedList, Discarded, MAX_PROBLEMS, Problems};
pub(crate) use list::first_entries;
pub use short::{Quoted, Short, short};

/// One problem of an input, with a JSON pointer (RFC 6901) to the value that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// JSON pointer such as `/3/payload/url`; empty if the problem is about the whole input.
    pub pointer: String,
    /// Description of the problem, without a full stop.
    pub detail: String,
    /// Number of problems that are omitted, if this is the entry that says so; else 0.
    #[serde(skip)]
    omitted: usize,
}

impl Problem {
    /// Creates a problem at `pointer`. A pointer or a detail that is too long is cut, so that the answer
    /// to a long input is short.
    pub fn new(pointer: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self { pointer: shortened(pointer.into()), detail: short(detail), omitted: 0 }
    }

    /// Creates the entry that stands for problems that are omitted.
    pub fn omission(pointer: &str, omitted: usize) -> Self {
        Self { omitted, ..Self::new(pointer, format_args!("and {omitted} more")) }
    }

    /// Returns whether this entry stands for problems that are omitted.
    pub fn is_omission(&self) -> bool {
        self.omitted > 0
    }

    /// Returns the number of problems that this entry stands for.
    pub fn number(&self) -> usize {
        self.omitted.max(1)
    }

    /// Returns the texts of problems, separated by semicolons.
    pub fn list(problems: &[Self]) -> String {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Returns the same problem with `prefix` before its pointer. `prefix` is the pointer to the
    /// checked value inside a larger one.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self.pointer = shortened(self.pointer);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.detail)
        } else {
            write!(f, "{}: {}", self.pointer, self.detail)
        }
    }
}

/// Parses JSON. A struct is taken from an object only, never from an array, at every depth.
///
/// # Errors
/// Returns the first problem with its pointer. The text is parsed a second time to find the
/// pointer, because a parser that tracks the path is slower and valid input does not need it.
pub fn parse_json<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let parsed = T::deserialize(object_structs(&mut reader)).map_err(Bounded::inner);
    match parsed.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(first) => Err(locate(text, &first, |reader| {
            serde_path_to_error::deserialize::<_, T>(object_structs(reader)).err()
        })),
    }
}

/// Parses a JSON array, of which only the first `max` entries are kept in memory.
///
/// # Errors
/// The same as [`parse_json`].
pub fn parse_json_list<'de, T: Deserialize<'de>>(
    text: &'de [u8],
    max: usize,
) -> Result<CountedList<T>, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let parsed = ListSeed::new(max).deserialize(object_structs(&mut reader));
    match parsed.map_err(Bounded::inner).and_then(|list| reader.end().map(|()| list)) {
        Ok(list) => Ok(list),
        Err(first) => Err(locate(text, &first, |reader| {
            serde_path_to_error::deserialize::<_, Discarded<T>>(object_structs(reader)).err()
        })),
    }
}

/// Parses JSON by serde's own rules, by which a struct may also be an array of its fields. For types
/// of the embedding application.
///
/// # Errors
/// The same as [`parse_json`].
pub fn parse_json_as_serde<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let parsed = T::deserialize(any_structs(&mut reader)).map_err(Bounded::inner);
    match parsed.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(first) => Err(locate(text, &first, |reader| {
            serde_path_to_error::deserialize::<_, T>(any_structs(reader)).err()
        })),
    }
}

type Reader<'de> = serde_json::Deserializer<serde_json::de::SliceRead<'de>>;
type PathError = serde_path_to_error::Error<Bounded<serde_json::Error>>;

/// Returns the problem with the pointer that `parse_again` finds.
fn locate<'de>(
    text: &'de [u8],
    first: &serde_json::Error,
    parse_again: impl FnOnce(&mut Reader<'de>) -> Option<PathError>,
) -> Problem {
    match parse_again(&mut serde_json::Deserializer::from_slice(text)) {
        Some(error) => Problem::new(pointer_of(error.path()), without_rust_types(&error.inner().0)),
        // The value itself is valid, so the problem is the text after it.
        None => Problem::new("", first),
    }
}

/// Rust types that serde names in its messages, and descriptions for readers who do not know Rust.
const NUMBER_TYPES: [(&str, &str); 7] = [
    ("u8", "a whole number between 0 and 255"),
    ("u16", "a whole number between 0 and 65535"),
    ("u32", "a whole number between 0 and 4294967295"),
    ("u64", "a whole number, 0 or more"),
    ("usize", "a whole number, 0 or more"),
    ("i64", "a whole number"),
    ("f64", "a number"),
];

/// Returns serde's message, such as `invalid type: string "x", expected u32 at line 1 column 9`,
/// with the Rust type replaced by a description.
fn without_rust_types(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message };
    let (name, position) = expected.split_at(expected.find(' ').unwrap_or(expected.len()));
    match NUMBER_TYPES.iter().find(|(number_type, _)| *number_type == name) {
        Some((_, description)) => format!("{found}, expected {description}{position}"),
        None => message,
    }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        if pointer.len() > MAX_SHORT_BYTES {
            break;
        }
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&escape(key));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// Escapes `~` and `/` in a name so that it can be one segment of a JSON pointer (RFC 6901, section
/// 3). Of a long name only the start is returned, because a [`Problem`] cuts a long pointer.
pub fn escape(name: &str) -> String {
    start(name, MAX_SHORT_BYTES).replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[serde(rename = "a/b")]
        _inner: Vec<u8>,
    }

    #[test]
    fn a_problem_has_the_pointer_of_the_invalid_value() {
        let problem = parse_json::<Shape>(br#"{"a/b": [1, "x"]}"#).unwrap_err();
        assert_eq!(problem.pointer, "/a~1b/1");
        assert!(problem.detail.contains("invalid type: string"), "{problem}");
    }

    #[test]
    fn a_message_names_no_rust_type() {
        let detail = |text: &[u8]| parse_json::<Shape>(text).unwrap_err().detail;
        assert_eq!(
            detail(br#"{"a/b": ["u32"]}"#),
            "invalid type: string \"u32\", expected a whole number between 0 and 255 at line 1 column 14"
        );
        assert!(detail(br#"{"a/b": "x"}"#).contains("expected a sequence"));
    }

    #[test]
    fn text_after_a_complete_value_is_reported_with_its_line() {
        let problem = parse_json::<Shape>(br#"{"a/b": []} x"#).unwrap_err();
        assert_eq!(problem.pointer, "");
        assert!(problem.detail.contains("trailing characters at line 1"), "{problem}");
    }
}
