//! Splits a JSON object into the texts of its known fields.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Returns the JSON texts of the fields with these names. Other fields are ignored, and so is the
/// contents of every field: the texts are only known to be JSON. Of a repeated field, the last one is
/// returned.
///
/// # Errors
/// Returns an error if the text is not a JSON object.
pub(super) fn fields<'a, const N: usize>(
    text: &'a str,
    names: [&'static str; N],
) -> Result<[Option<&'a str>; N], serde_json::Error> {
    fields_and_others(text, names).map(|(found, _)| found)
}

/// Returns the JSON texts of the fields with these names, as [`fields`] does, and whether there are
/// others.
///
/// # Errors
/// Returns an error if the text is not a JSON object.
pub(super) fn fields_and_others<'a, const N: usize>(
    text: &'a str,
    names: [&'static str; N],
) -> Result<([Option<&'a str>; N], bool), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let (found, has_others) = Fields(names).deserialize(&mut reader)?;
    reader.end()?;
    Ok((found.map(|value| value.map(RawValue::get)), has_others))
}

struct Fields<const N: usize>([&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Fields<N> {
    type Value = ([Option<&'de RawValue>; N], bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Fields<N> {
    type Value = ([Option<&'de RawValue>; N], bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut has_others) = ([None; N], false);
        while let Some(index) = entries.next_key_seed(Name(&self.0))? {
            let value = entries.next_value()?;
            match index.and_then(|index: usize| found.get_mut(index)) {
                Some(known) => *known = Some(value),
                None => has_others = true,
            }
        }
        Ok((found, has_others))
    }
}

/// Finds the index of a name. It is read as bytes, because a name may contain half a surrogate pair.
struct Name<'a>(&'a [&'static str]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| known.as_bytes() == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fields_are_returned_as_they_are_and_others_are_ignored() {
        let text = r#" {"b": [1, {"a": 1.50}], "x\ud800": "\ud800", "a":1, "a" : "\udc00"} "#;
        let found = fields(text, ["a", "b", "c"]).unwrap();
        assert_eq!(found, [Some(r#""\udc00""#), Some(r#"[1, {"a": 1.50}]"#), None]);
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for text in ["[]", "null", "1", "\"a\"", "{\"a\": 1} x"] {
            assert!(fields(text, ["a"]).is_err(), "{text}");
        }
    }
}
