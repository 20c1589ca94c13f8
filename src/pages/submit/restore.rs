//! Puts the original bytes of a JSON text back into a copy that was edited.

use std::collections::HashMap;

use crate::job::payload::entries::{Entries, Entry};

/// Returns `edited`, in which every value that was not changed has its original bytes.
///
/// A form shows JSON indented, but a signature may cover the bytes of a part of it. So white space
/// between tokens is no change, and each changed value is replaced alone:
///
/// ```text
/// original  {"url":"http://a","body":{"n":1.50}}
/// edited    {⏎  "url": "http://b",⏎  "body": {⏎    "n": 1.50⏎  }⏎}
/// returned  {"url":"http://b","body":{"n":1.50}}
/// ```
///
/// Both texts must be valid JSON, of a depth that the parser accepts.
pub(super) fn restore(edited: &str, original: &str) -> String {
    if significant(edited).eq(significant(original)) {
        return original.to_owned();
    }
    let same_type = edited.bytes().next() == original.bytes().next();
    let (Some(new), Some(old), true) = (entries(edited), entries(original), same_type) else {
        return edited.to_owned();
    };
    let is_object = edited.starts_with('{');
    let origins = if is_object { same_names(&new, &old) } else { same_places(&new, &old) };
    let values = new.iter().zip(&origins).map(|((_, value), origin)| match origin {
        Some(origin) => restore(value.get(), origin),
        None => value.get().to_owned(),
    });
    let values: Vec<String> = values.collect();
    let has_same_names = new.iter().map(|(name, _)| name).eq(old.iter().map(|(name, _)| name));
    if has_same_names { replace(original, &old, &values) } else { replace(edited, &new, &values) }
}

/// Returns the bytes of a JSON text without the white space between its tokens.
fn significant(json: &str) -> impl Iterator<Item = u8> {
    let (mut in_string, mut is_escaped) = (false, false);
    json.bytes().filter(move |byte| {
        if in_string {
            in_string = is_escaped || *byte != b'"';
            is_escaped = *byte == b'\\' && !is_escaped;
            return true;
        }
        in_string = *byte == b'"';
        !byte.is_ascii_whitespace()
    })
}

/// Returns the entries of an object or array; `None` for any other value.
fn entries(json: &str) -> Option<Vec<Entry<'_>>> {
    if !json.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<Entries<'_>>(json).ok().map(|entries| entries.0)
}

/// Returns for each new entry of an object the old value of the same name. If a name is repeated, its
/// first value belongs to its first, and so on.
fn same_names<'a>(new: &[Entry<'_>], old: &[Entry<'a>]) -> Vec<Option<&'a str>> {
    let mut by_name: HashMap<&Option<String>, Vec<&'a str>> = HashMap::new();
    for (name, value) in old.iter().rev() {
        by_name.entry(name).or_default().push(value.get());
    }
    new.iter().map(|(name, _)| by_name.get_mut(name)?.pop()).collect()
}

/// Returns for each new element of an array the old element at its place. If the number of elements
/// differs, only elements that are the same, counted from the start and then from the end, have one.
fn same_places<'a>(new: &[Entry<'_>], old: &[Entry<'a>]) -> Vec<Option<&'a str>> {
    let (new_count, old_count) = (new.len(), old.len());
    if new_count == old_count {
        return old.iter().map(|(_, value)| Some(value.get())).collect();
    }
    let is_same = |(one, other): &(&Entry<'_>, &Entry<'_>)| {
        significant(one.1.get()).eq(significant(other.1.get()))
    };
    let shorter = new_count.min(old_count);
    let at_start = new.iter().zip(old).take_while(is_same).count();
    let from_end = new.iter().rev().zip(old.iter().rev());
    let at_end = from_end.take(shorter - at_start).take_while(is_same).count();
    let place = |at: usize| match at {
        at if at < at_start => Some(at),
        at if at >= new_count - at_end => Some(at + old_count - new_count),
        _ => None,
    };
    (0..new_count).map(|at| old.get(place(at)?).map(|(_, value)| value.get())).collect()
}

/// Returns an object or array with other values.
fn replace(json: &str, entries: &[Entry<'_>], values: &[String]) -> String {
    let (mut text, mut at) = (String::with_capacity(json.len()), 0);
    for ((_, old), new) in entries.iter().zip(values) {
        // The old value is a part of `json`.
        let start = old.get().as_ptr() as usize - json.as_ptr() as usize;
        text.push_str(json.get(at..start).unwrap_or_default());
        text.push_str(new);
        at = start + old.get().len();
    }
    text.push_str(json.get(at..).unwrap_or_default());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::submit::indent::indent;

    /// A text with unusual spelling that no parser and printer would keep.
    const ODD: &str = concat!(
        r#"{ "b":1.0,"a" : [1e2,  -0, 10000000000000000000000 , "\u00e4\/ä"],"a":{"z":1,"a":"#,
        "\n\t[ ]},",
        r#" "text": "a, \"b\": {\\" , "deep":[[[{"x":[]}]]], "": null}"#
    );

    #[test]
    fn an_unchanged_text_has_its_original_bytes() {
        for json in [ODD, "null", "1.50", "\"\\u0041\"", "[]", "{ }", "[1,2 , 3]"] {
            assert_eq!(restore(&indent(json), json), json);
            assert_eq!(restore(json, json), json);
        }
    }

    #[test]
    fn only_a_changed_value_has_other_bytes() {
        let shown = indent(ODD);
        for (from, to) in [
            ("1.0", "2"),
            ("1e2", "{\"new\": [1]}"),
            ("\\u00e4", "x"),
            ("\"z\": 1", "\"z\":2"),
            ("\"x\": []", "\"x\":[7]"),
            ("null", "\"\""),
        ] {
            let edited = shown.replacen(from, to, 1);
            assert_ne!(edited, shown, "{from}");
            let expected = match from {
                "\"z\": 1" => ODD.replacen("\"z\":1", to, 1),
                "\"x\": []" => ODD.replacen("\"x\":[]", to, 1),
                from => ODD.replacen(from, to, 1),
            };
            assert_eq!(restore(&edited, ODD), expected, "{from}");
        }
    }

    #[test]
    fn added_removed_and_moved_entries_keep_the_bytes_of_the_others() {
        let original = r#"{"url":"http://a","body":{"n":1.50,"m":[1,2]}}"#;
        let edited = "{\n  \"method\": \"PUT\",\n  \"body\": {\n    \"n\": 1.50,\n    \"m\": [\n      1,\n      2\n    ]\n  },\n  \"url\": \"http://a\"\n}";
        let restored = "{\n  \"method\": \"PUT\",\n  \"body\": {\"n\":1.50,\"m\":[1,2]},\n  \"url\": \"http://a\"\n}";
        assert_eq!(restore(edited, original), restored);
        let list = r#"[{"a":1},{"b":2},{"c":3}]"#;
        for (edited, restored) in [
            (r#"[{"a": 1}, {"c": 3}]"#, r#"[{"a":1}, {"c":3}]"#),
            (r#"[{"b": 2}, {"c": 3}]"#, r#"[{"b":2}, {"c":3}]"#),
            (r#"[{"a": 1}, 7, {"b": 2}, {"c": 3}]"#, r#"[{"a":1}, 7, {"b":2}, {"c":3}]"#),
            (
                r#"[{"a": 1}, {"a": 1}, {"b": 2}, {"c": 3}]"#,
                r#"[{"a":1}, {"a": 1}, {"b":2}, {"c":3}]"#,
            ),
            ("[]", "[]"),
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
        ] {
            assert_eq!(restore(edited, list), restored);
        }
    }

    #[test]
    fn of_a_repeated_name_each_value_belongs_to_its_own() {
        let original = r#"{"a":{"x":1},"a":{"x":2},"b":0}"#;
        let edited = r#"{"a": {"x": 1}, "a": {"x": 2}}"#;
        assert_eq!(restore(edited, original), r#"{"a": {"x":1}, "a": {"x":2}}"#);
        let edited = r#"{"a": {"x": 1}, "a": {"x": 3}, "b": 0}"#;
        assert_eq!(restore(edited, original), r#"{"a":{"x":1},"a":{"x":3},"b":0}"#);
    }
}
