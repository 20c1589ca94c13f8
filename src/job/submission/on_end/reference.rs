//! References in the payload of a follow-up job to the result of the job or batch before it.
//!
//! A reference is an object of the form `{"$from": "job", "pointer": "/body/text"}`. It is replaced by
//! the value at that JSON pointer (RFC 6901), byte for byte; without `pointer`, by the whole document.
//! For example, if the first job has the result `{"status": 200, "body": [1.50]}`, then
//! `{"x": {"$from": "job", "pointer": "/body/0"}}` becomes `{"x": 1.50}`.

mod document;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::job::payload::Json;
use crate::job::payload::entries::{Entries, Entry};
use crate::job::problem::{Problem, Quoted, escape};
use crate::job::submission::on_end::reference::document::find_values;

/// Field that makes an object a reference.
const FROM: &str = "$from";
/// Maximum number of objects and lists around a reference, which bounds the time to find it.
const MAX_DEPTH: usize = 16;
/// Maximum number of references in a payload. They are filled in within the transaction that ends the job before.
pub const MAX_REFERENCES: usize = 32;
/// Start of a reference to a secret of the configuration in the payload of an `http` job.
const SECRET: &str = "${secret:";

/// Document to which references refer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The result of the job before.
    Job,
    /// The batch before: its counts, and in `results` the results of its jobs in the order of submission.
    Batch,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Batch => "batch",
        }
    }
}

/// A reference, as a payload contains it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a reference with $from and pointer")]
struct Reference {
    #[serde(rename = "$from")]
    from: String,
    #[serde(default)]
    pointer: String,
}

/// Returns the places of all references in a payload, as JSON pointers.
///
/// # Errors
/// Returns the problem of an invalid reference, with its JSON pointer in the payload.
pub fn find(payload: &Json, source: Source) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    fill_with(payload.as_str(), |place, reference, _| {
        if reference.from != source.as_str() {
            let why = format!("must be {:?} here", source.as_str());
            return Err(Problem::new(format!("/{FROM}"), why));
        }
        if !reference.pointer.is_empty() && !reference.pointer.starts_with('/') {
            return Err(Problem::new("/pointer", "must be empty or start with '/'"));
        }
        if found.len() == MAX_REFERENCES {
            let why = format!("a payload may have at most {MAX_REFERENCES} references");
            return Err(Problem::new("", why));
        }
        found.push(place.to_owned());
        Ok("null".to_owned())
    })?;
    Ok(found)
}

/// Returns a payload with every reference replaced by the value in `document`. For `http` jobs a value must
/// not name a secret: another server chose it, and must not choose which secrets are sent.
///
/// # Errors
/// Returns a problem if the document has no value at a pointer, if a value names a secret, or if the payload
/// would be longer than `max_bytes`.
pub fn fill(
    payload: &Json,
    document: &Json,
    is_http: bool,
    max_bytes: usize,
) -> Result<Json, Problem> {
    let mut places = Vec::new();
    let unfilled = fill_with(payload.as_str(), |place, reference, at| {
        places.push(Place { at, place: place.to_owned(), pointer: reference.pointer.clone() });
        Ok(String::new())
    })?;
    let pointers: Vec<&str> = places.iter().map(|place| place.pointer.as_str()).collect();
    let values = find_values(document.as_str(), &pointers);
    let len = unfilled.len() + values.iter().flatten().map(|value| value.len()).sum::<usize>();
    let mut filled = String::with_capacity(len.min(max_bytes));
    let mut start = 0;
    for (place, value) in places.iter().zip(values) {
        let value = place.check(value, is_http).map_err(|problem| problem.under(&place.place))?;
        filled.push_str(&unfilled[start..place.at]);
        if filled.len() + value.len() > max_bytes {
            return Err(too_long(max_bytes).under(&place.place));
        }
        filled.push_str(value);
        start = place.at;
    }
    filled.push_str(&unfilled[start..]);
    if filled.len() > max_bytes {
        return Err(too_long(max_bytes));
    }
    Ok(Json::trusted(filled))
}

/// A reference in a payload that is filled in.
struct Place {
    /// Where its value is inserted into the payload without references.
    at: usize,
    /// Its JSON pointer in the payload.
    place: String,
    /// The JSON pointer of its value in the document.
    pointer: String,
}

impl Place {
    /// Returns the value, if there is one that may be filled in.
    fn check<'d>(&self, value: Option<&'d str>, is_http: bool) -> Result<&'d str, Problem> {
        let pointer = Quoted(&self.pointer);
        match value {
            None => Err(Problem::new("", format!("the result has no value at {pointer}"))),
            Some(value) if is_http && names_secret(value) => {
                Err(Problem::new("", format!("the value at {pointer} names a secret")))
            }
            Some(value) => Ok(value),
        }
    }
}

/// Returns whether a text in a JSON value has a reference to a secret.
fn names_secret(value: &str) -> bool {
    fn is_in(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains(SECRET),
            Value::Array(items) => items.iter().any(is_in),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| name.contains(SECRET) || is_in(value))
            }
            _ => false,
        }
    }
    // A letter may be escaped. A value that cannot be read here is refused.
    let may_name = value.contains(SECRET) || value.contains('\\');
    may_name && serde_json::from_str(value).map_or(true, |value| is_in(&value))
}

fn too_long(max_bytes: usize) -> Problem {
    Problem::new("", format!("the payload with the result would be longer than {max_bytes} bytes"))
}

fn fill_with(
    text: &str,
    resolve: impl FnMut(&str, &Reference, usize) -> Result<String, Problem>,
) -> Result<String, Problem> {
    let mut filler =
        Filler { out: String::with_capacity(text.len()), place: String::new(), depth: 0, resolve };
    match filler.write(text) {
        Ok(()) => Ok(filler.out),
        Err(problem) => Err(problem.under(&filler.place)),
    }
}

/// Writes a JSON text with its references replaced.
struct Filler<R> {
    out: String,
    /// JSON pointer of the value that is written.
    place: String,
    /// Number of objects and lists around it.
    depth: usize,
    /// Returns what replaces a reference, given its place, and where in `out` it is written.
    resolve: R,
}

impl<R: FnMut(&str, &Reference, usize) -> Result<String, Problem>> Filler<R> {
    /// Writes a value. A text without references is copied, so a payload is parsed at most once for each
    /// level. After an error, `place` is the place of the problem.
    fn write(&mut self, text: &str) -> Result<(), Problem> {
        let text = text.trim_ascii();
        // A letter of the name may be escaped.
        let may_have = text.contains(FROM) || text.contains("\\u");
        if !may_have || !text.starts_with(['[', '{']) {
            self.out.push_str(text);
            return Ok(());
        }
        if self.depth > MAX_DEPTH && !text.contains(FROM) {
            // Only a name with an escaped letter could be a reference here, and it is taken as written.
            self.out.push_str(text);
            return Ok(());
        }
        if self.depth > MAX_DEPTH {
            let why = format!("a reference must be at most {MAX_DEPTH} levels deep");
            return Err(Problem::new("", why));
        }
        let Entries(entries) = parse(text)?;
        if entries.iter().any(|(name, _)| name.as_deref() == Some(FROM)) {
            let reference: Reference = Json::trusted(text).read_objects()?;
            let value = (self.resolve)(&self.place, &reference, self.out.len())?;
            self.out.push_str(&value);
            return Ok(());
        }
        let (open, close) = if text.starts_with('[') { ('[', ']') } else { ('{', '}') };
        self.out.push(open);
        self.write_entries(&entries)?;
        self.out.push(close);
        Ok(())
    }

    fn write_entries(&mut self, entries: &[Entry<'_>]) -> Result<(), Problem> {
        for (index, (name, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            let token = match name {
                Some(name) => {
                    self.out.push_str(&serde_json::to_string(name).unwrap_or_default());
                    self.out.push(':');
                    escape(name).to_string()
                }
                None => index.to_string(),
            };
            self.write_inner(&token, value)?;
        }
        Ok(())
    }

    fn write_inner(&mut self, token: &str, value: &RawValue) -> Result<(), Problem> {
        let len = self.place.len();
        self.place.push('/');
        self.place.push_str(token);
        self.depth += 1;
        self.write(value.get())?;
        self.depth -= 1;
        self.place.truncate(len);
        Ok(())
    }
}

fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::new("", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::checked(text).unwrap()
    }

    fn filled(payload: &str, document: &str) -> Result<String, String> {
        let filled = fill(&json(payload), &json(document), true, 1_000);
        filled.map(|json| json.as_str().to_owned()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_reference_is_replaced_by_the_value_byte_for_byte() {
        let document = r#"{"status": 200, "body": {"a/b": [1.50, {"x": 1e400}]}}"#;
        for (payload, expected) in [
            (
                r#"{"x":{"$from":"job","pointer":"/body/a~1b/0"}, "y": 2.0}"#,
                r#"{"x":1.50,"y":2.0}"#,
            ),
            (r#"[{"$from":"job","pointer":"/status"}]"#, "[200]"),
            (r#"{"$from":"job","pointer":"/body/a~1b/1"}"#, r#"{"x": 1e400}"#),
            (r#"{"$from":"job"}"#, document),
            (r#"{"text": "a \"$from\" b"}"#, r#"{"text":"a \"$from\" b"}"#),
            (r#"{"n": 1.0}"#, r#"{"n": 1.0}"#),
        ] {
            // 1e400 is valid JSON, although no float can hold it.
            let filled = fill(&json(payload), &Json::trusted(document), false, 1_000).unwrap();
            assert_eq!(filled.as_str(), expected, "{payload}");
        }
    }

    #[test]
    fn a_reference_to_nothing_names_the_pointer() {
        for pointer in ["/nothing", "/list/2", "/list/-", "/list/00", "/list/+0", "/text/0"] {
            let payload = format!(r#"{{"a": [{{"$from": "job", "pointer": "{pointer}"}}]}}"#);
            let error = filled(&payload, r#"{"list": [1, 2], "text": "abc"}"#).unwrap_err();
            assert!(error.contains("/a/0") && error.contains(pointer), "{error}");
        }
    }

    #[test]
    fn a_payload_that_becomes_too_long_is_refused() {
        let document = format!("\"{}\"", "x".repeat(400));
        let payload = r#"[{"$from": "job"}, {"$from": "job"}, {"$from": "job"}]"#;
        assert!(filled(payload, &document).unwrap_err().contains("longer than 1000 bytes"));
    }

    #[test]
    fn a_value_for_an_http_job_must_not_name_a_secret() {
        let payload = json(r#"{"headers": {"x-name": {"$from": "job", "pointer": "/name"}}}"#);
        for (name, is_refused) in [
            (r#""${secret:a}""#, true),
            (r#""Bearer $\u007bsecret:a}""#, true),
            (r#"[{"a": "${secret:a}"}]"#, true),
            (r#""a \"quoted\" name""#, false),
            (r#""$secret""#, false),
        ] {
            let document = json(&format!(r#"{{"name": {name}}}"#));
            assert_eq!(fill(&payload, &document, true, 1_000).is_err(), is_refused, "{name}");
            assert!(fill(&payload, &document, false, 1_000).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_number_of_references_is_limited_and_an_escaped_one_counts() {
        let many = format!("[{}1]", r#"{"$from": "job"},"#.repeat(MAX_REFERENCES + 1));
        assert_eq!(find(&json(&many), Source::Job).unwrap_err().pointer, "/32");
        let escaped = json(r#"[{"\u0024from": "job"}]"#);
        assert_eq!(find(&escaped, Source::Job).unwrap(), ["/0"]);
    }

    #[test]
    fn an_invalid_reference_is_a_problem_with_its_pointer() {
        let deep = format!("{}{{\"$from\":\"job\"}}{}", "[".repeat(17), "]".repeat(17));
        for (payload, pointer) in [
            (r#"{"a": {"$from": "batch"}}"#, "/a/$from"),
            (r#"{"a": {"$from": "job", "pointer": "x"}}"#, "/a/pointer"),
            (r#"{"a": {"$from": "job", "other": 1}}"#, "/a"),
            (r#"{"a": [1, {"$from": 7}]}"#, "/a/1/$from"),
            (&deep, "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"),
        ] {
            let problem = find(&json(payload), Source::Job).unwrap_err();
            assert!(problem.pointer.starts_with(pointer), "{payload}: {problem}");
        }
        let payload = json(r#"[{"$from": "job", "pointer": "/a"}, {"$from": "job"}]"#);
        assert_eq!(find(&payload, Source::Job).unwrap(), ["/0", "/1"]);
    }
}
