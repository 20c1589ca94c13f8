//! Tests of the adapter: arrays, long texts, keys of maps.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::job::Json;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, expecting = "an object of the test")]
struct Outer {
    inner: Option<Inner>,
    list: Vec<Inner>,
    map: BTreeMap<String, Inner>,
    choice: Option<Choice>,
    pair: (i32, String),
    raw: Option<Json>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, expecting = "an inner object")]
struct Inner {
    number: Option<f64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Plain,
    Wrapped(Inner),
    Fields { number: i32 },
}

fn read(text: &str) -> Result<Outer, serde_json::Error> {
    Outer::deserialize(object_structs(&mut serde_json::Deserializer::from_str(text)))
        .map_err(Bounded::inner)
}

#[test]
fn a_struct_is_refused_as_an_array_at_every_depth() {
    for text in [
        "[]",
        r#"{"inner": []}"#,
        r#"{"inner": [1.5]}"#,
        r#"{"list": [{}, []]}"#,
        r#"{"map": {"a": []}}"#,
        r#"{"choice": {"wrapped": []}}"#,
        r#"{"choice": {"fields": [1]}}"#,
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with("invalid type: sequence, expected "), "{text}: {error}");
    }
    assert!(serde_json::from_str::<Outer>("[]").is_ok(), "the adapter is not needed any more");
}

#[test]
fn all_other_values_are_passed_through() {
    let text = r#"{"inner": {"number": 1.5}, "list": [{}], "map": {"a": {"number": 2}},
        "choice": "plain", "pair": [1, "x"], "raw": [ 1.0 , {} ]}"#;
    assert_eq!(read(text).unwrap(), serde_json::from_str(text).unwrap());
    assert_eq!(read(text).unwrap().raw.unwrap().as_str(), "[ 1.0 , {} ]");
    for choice in [r#"{"wrapped": {"number": 1}}"#, r#"{"fields": {"number": 1}}"#] {
        let text = format!(r#"{{"choice": {choice}}}"#);
        assert_eq!(read(&text).unwrap(), serde_json::from_str(&text).unwrap());
    }
}

#[test]
fn a_long_text_is_not_repeated_whatever_was_expected() {
    let long = "\u{200b}".repeat(100_000);
    let places = ["inner", "list", "map", "choice", "pair"];
    let texts = places.map(|place| format!("{{\"{place}\": \"{long}\"}}")).into_iter().chain([
        format!("{{\"inner\": {{\"number\": \"{long}\"}}}}"),
        format!("{{\"choice\": {{\"{long}\": 1}}}}"),
        format!("\"{long}\""),
    ]);
    for text in texts {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("\\u{200b}") || error.contains('\u{200b}'), "{error}");
        assert!(error.len() < 256, "{error}");
    }
}

#[test]
fn the_keys_of_a_map_may_be_numbers() {
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct Key(u16);
    let mut reader = serde_json::Deserializer::from_str(r#"{"1": "a", "20": "b"}"#);
    let map = BTreeMap::<Key, String>::deserialize(object_structs(&mut reader));
    assert_eq!(map.unwrap()[&Key(20)], "b");
    let mut reader = serde_json::Deserializer::from_str(r#"{"x": "a"}"#);
    let map = BTreeMap::<Key, String>::deserialize(object_structs(&mut reader));
    let error = map.unwrap_err().to_string();
    assert!(error.contains("expected key to be a number in quotes"), "{error}");
}

#[test]
fn structs_are_taken_from_arrays_by_the_rules_of_serde() {
    for text in [r#"{"inner": [1.5], "choice": {"fields": [1]}, "pair": [1, ""]}"#, "[]"] {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = Outer::deserialize(any_structs(&mut reader));
        assert_eq!(read.unwrap(), serde_json::from_str(text).unwrap());
    }
}
