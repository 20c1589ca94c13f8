//! What is wrong with an input, and where.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong with an input, at a place named by a JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a JSON pointer such as `/3/payload/url`; empty for the whole input.
    pub pointer: String,
    /// What, in a sentence without a full stop.
    pub detail: String,
}

impl Problem {
    /// A problem at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self { pointer: pointer.into(), detail: detail.to_string() }
    }

    /// The same problem seen from a value that holds this one at `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
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

/// Reads JSON and names the place of the first problem.
///
/// The plain reader goes first, for it is faster; the one that tracks places runs only on bad input.
pub fn parse_json<'de, T: serde::Deserialize<'de>>(text: &'de [u8]) -> Result<T, Problem> {
    match serde_json::from_slice(text) {
        Ok(value) => Ok(value),
        Err(first) => Err(locate::<T>(text, &first)),
    }
}

fn locate<'de, T: serde::Deserialize<'de>>(text: &'de [u8], first: &serde_json::Error) -> Problem {
    let mut reader = serde_json::Deserializer::from_slice(text);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => Problem::new(pointer_of(error.path()), error.inner()),
        // Read whole by itself, so what follows it is what is wrong.
        Ok(_) => Problem::new("", first),
    }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
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

/// A name as one step of a JSON pointer: `~` and `/` are escaped (RFC 6901, section 3).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
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
    fn the_pointer_names_the_place() {
        let problem = parse_json::<Shape>(br#"{"a/b": [1, "x"]}"#).unwrap_err();
        assert_eq!(problem.pointer, "/a~1b/1");
        assert!(problem.detail.contains("invalid type: string"), "{problem}");
    }

    #[test]
    fn what_follows_a_whole_value_is_named_by_its_line() {
        let problem = parse_json::<Shape>(br#"{"a/b": []} x"#).unwrap_err();
        assert_eq!(problem.pointer, "");
        assert!(problem.detail.contains("trailing characters at line 1"), "{problem}");
    }
}
