//! JSON that Longshore stores and returns unchanged: payloads and results.

pub(crate) mod entries;

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

use crate::job::problem::{Problem, parse_json, parse_json_as_serde};

/// A JSON text, kept byte for byte as it was received.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Returns the JSON value `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Serializes `value` as JSON.
    ///
    /// # Errors
    /// Returns an error if `value` has no JSON form, for example a map whose keys are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::to_string(value)?.into()))
    }

    /// Takes a text that is known to be valid JSON, such as a text from the database.
    pub fn trusted(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Validates a text from an untrusted source: grammar, depth, escapes and numbers.
    ///
    /// # Errors
    /// Returns the first problem, with its JSON pointer inside the value.
    pub fn checked(text: &str) -> Result<Self, Problem> {
        let unchecked = Self(text.into());
        unchecked.check()?;
        Ok(unchecked)
    }

    /// Validates the text, as [`Json::checked`] does.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        parse_json::<Validator>(self.0.as_bytes()).map(drop)
    }

    /// Returns the JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Deserializes the value as a `T`, by serde's own rules.
    ///
    /// # Errors
    /// Returns the first problem, with its JSON pointer inside the value.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse_json_as_serde(self.0.as_bytes())
    }

    /// Deserializes the value as a `T`, but takes a struct from an object only, never from an array.
    ///
    /// # Errors
    /// Returns the first problem, with its JSON pointer inside the value.
    pub(crate) fn read_objects<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse_json(self.0.as_bytes())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    /// Accepts any JSON value without validating its contents, which [`Json::checked`] does.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Box::<str>::from(raw).into()))
    }
}

/// Visits every part of a JSON value and stores nothing.
///
/// `RawValue` skips over a value, so it accepts half a surrogate pair, a number that is too large
/// and nesting of any depth. Visiting the value finds these problems.
struct Validator;

impl<'de> Deserialize<'de> for Validator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> DeserializeSeed<'de> for Validator {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Validator {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_key_seed(Self)?.is_some() {
            entries.next_value_seed(Self)?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_kept_byte_for_byte() {
        let text = r#"{"b":1.50,"a":[10000000000000000000000]}"#;
        let json = Json::checked(text).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_with_its_pointer() {
        let problem = Json::checked(r#"{"a": ["\ud800"]}"#).unwrap_err();
        assert_eq!(problem.pointer, "/a/0");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let problem = Json::checked(&deep).unwrap_err();
        assert!(problem.detail.contains("recursion limit"), "{problem}");
    }
}
