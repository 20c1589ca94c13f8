//! A hash of a JSON text by value.
//!
//! The text is read once, without a tree of its values. Of an object, the keys and the hash of each value
//! are collected and sorted by key. For example `{"b":1, "a":[2]}` is hashed as `{`, `a` with the hash of
//! `[2]`, `b` with the hash of `1`, `}`. Entries with the same key stay in their order, because most
//! readers take the last of them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Depth at which reading stops. `serde_json`, which checks every payload, refuses less.
const MAX_DEPTH: usize = 128;

/// Adds a JSON text to a hash.
///
/// A text that is not valid is hashed byte for byte; no such payload is ever stored.
pub(super) fn hash(text: &str, hash: &mut Sha256) {
    let mut by_value = Sha256::new();
    match (Reader { text, position: 0 }).value(&mut by_value, 0) {
        Some(()) => hash.update(by_value.finalize()),
        None => {
            hash.update("!");
            hash.update(text);
        }
    }
}

/// Reads a text that is known to be JSON, so it only finds where tokens end.
struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    /// Hashes the next value. Returns `None` if the text is not valid or too deep.
    fn value(&mut self, hash: &mut Sha256, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(hash, depth),
            b'[' => self.array(hash, depth),
            b'"' => {
                let text = self.string()?;
                hash.update("\"");
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
                Some(())
            }
            _ => {
                hash.update(self.word()?);
                hash.update([0]);
                Some(())
            }
        }
    }

    fn array(&mut self, hash: &mut Sha256, depth: usize) -> Option<()> {
        hash.update("[");
        self.position += 1;
        while self.peek()? != b']' {
            self.value(hash, depth + 1)?;
            self.skip(b',')?;
        }
        self.position += 1;
        hash.update("]");
        Some(())
    }

    fn object(&mut self, hash: &mut Sha256, depth: usize) -> Option<()> {
        let mut entries: Vec<(Cow<'a, str>, [u8; 32])> = Vec::new();
        self.position += 1;
        while self.peek()? != b'}' {
            let key = self.string()?;
            self.skip(b':')?;
            let mut value = Sha256::new();
            self.value(&mut value, depth + 1)?;
            entries.push((key, value.finalize().into()));
            self.skip(b',')?;
        }
        self.position += 1;
        // The sort is stable, so entries with the same key stay in their order.
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        hash.update("{");
        for (key, value) in &entries {
            hash.update((key.len() as u64).to_le_bytes());
            hash.update(key.as_bytes());
            hash.update(value);
        }
        hash.update("}");
        Some(())
    }

    /// Skips white space and returns the next byte without reading it.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.position..)?;
        self.position += rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        self.text.as_bytes().get(self.position).copied()
    }

    /// Skips a separator if it is next.
    fn skip(&mut self, separator: u8) -> Option<()> {
        if self.peek()? == separator {
            self.position += 1;
        }
        Some(())
    }

    /// Reads a number, `true`, `false` or `null`, and returns its text.
    fn word(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.position..)?;
        let is_end = |byte: u8| byte.is_ascii_whitespace() || b",]}:\"[{".contains(&byte);
        let len = rest.bytes().position(is_end).unwrap_or(rest.len());
        self.position += len;
        if len == 0 { None } else { rest.get(..len) }
    }

    /// Reads a string and returns its value.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.peek()? != b'"' {
            return None;
        }
        let rest = self.text.get(self.position..)?;
        let (mut len, mut has_escape) = (1, false);
        loop {
            match rest.as_bytes().get(len)? {
                b'"' => break,
                b'\\' => {
                    has_escape = true;
                    len += 2;
                }
                _ => len += 1,
            }
        }
        self.position += len + 1;
        match has_escape {
            true => serde_json::from_str(rest.get(..=len)?).ok().map(Cow::Owned),
            false => rest.get(1..len).map(Cow::Borrowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn digest(text: &str) -> [u8; 32] {
        let mut sha = Sha256::new();
        hash(text, &mut sha);
        sha.finalize().into()
    }

    #[test]
    fn white_space_escapes_and_the_order_of_keys_do_not_matter() {
        for (one, other) in [
            (
                r#"{"a":1,"b":{"c":[],"d":{}}}"#,
                "\n{ \"b\" : {\"d\":{ }, \"c\":[ ]} ,\t\"a\": 1 }\r\n",
            ),
            (r#"["é","\n","/","😀"]"#, r#"["\u00e9","\u000A","\/","\uD83D\ude00"]"#),
            (r#"{"\"":1,"\\":2}"#, r#"{"\u005c":2,"\u0022":1}"#),
            ("  7 ", "7"),
        ] {
            assert_eq!(digest(one), digest(other), "{one} and {other}");
        }
    }

    #[test]
    fn other_values_have_other_hashes() {
        let texts = [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "1.0",
            "1.00",
            "10e-1",
            "100",
            "1e2",
            "1E2",
            "1e+2",
            "10000000000000000000000",
            "10000000000000000000001",
            "\"\"",
            "\"null\"",
            "\"1\"",
            "[]",
            "{}",
            "[null]",
            "[[]]",
            "[[],[]]",
            "[1,2]",
            "[2,1]",
            "[12]",
            "[1,[2]]",
            "[[1],2]",
            "[\"1,2\"]",
            "{\"a\":1}",
            "{\"a\":\"1\"}",
            "{\"a\":null}",
            "{\"A\":1}",
            "{\"a\":1,\"b\":2}",
            "{\"a\":2,\"b\":1}",
            "{\"a\":{\"b\":1}}",
            "{\"a\":{},\"b\":1}",
            "{\"ab\":1}",
            "\"[]\"",
            "\"a\\u0000b\"",
            "\"ab\"",
            "{\"a\":1,\"a\":2}",
            "{\"a\":2,\"a\":1}",
            "{\"a\":1,\"a\":1}",
        ];
        let digests: std::collections::HashSet<_> = texts.map(digest).into();
        assert_eq!(digests.len(), texts.len());
    }

    #[test]
    fn repeated_keys_keep_their_order_among_themselves_only() {
        assert_eq!(digest(r#"{"a":1,"b":0,"a":2}"#), digest(r#"{"b":0,"a":1,"\u0061":2}"#));
        assert_ne!(digest(r#"{"a":1,"b":0,"a":2}"#), digest(r#"{"a":2,"b":0,"a":1}"#));
    }

    #[test]
    fn a_text_that_is_too_deep_is_hashed_as_it_is() {
        let deep = |space: &str| format!("{}{space}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_ne!(digest(&deep("")), digest(&deep(" ")));
        let allowed = |space: &str| format!("{}{space}{}", "[".repeat(127), "]".repeat(127));
        assert_eq!(digest(&allowed("")), digest(&allowed(" ")));
    }

    /// A JSON value without numbers that have several forms.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn two_texts_have_the_same_hash_exactly_if_their_values_are_equal(one in values(), other in values()) {
            let compact = one.to_string();
            prop_assert_eq!(digest(&compact), digest(&format!("{one:#}")));
            prop_assert_eq!(digest(&compact) == digest(&other.to_string()), one == other);
        }

        #[test]
        fn any_text_is_hashed_without_a_panic(text in any::<String>()) {
            digest(&text);
            digest(&format!("[\"{text}"));
            digest(&format!("{{\"a\":{text}"));
        }
    }
}
