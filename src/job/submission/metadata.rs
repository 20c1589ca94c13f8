//! Metadata of a job: a JSON object that the application keeps with it.

use crate::job::payload::Json;
use crate::job::problem::Problem;

/// Maximum size of a job's metadata, in bytes.
pub const MAX_METADATA_BYTES: usize = 16 << 10;

/// Validates metadata; `null` is the same as no metadata.
pub(super) fn check_metadata(metadata: Option<Json>, problems: &mut Vec<Problem>) -> Option<Json> {
    let metadata = metadata.filter(|json| json.as_str() != "null")?;
    let text = metadata.as_str();
    if text.len() > MAX_METADATA_BYTES {
        let why = format!("must be at most {MAX_METADATA_BYTES} bytes");
        problems.push(Problem::new("/metadata", why));
    } else if !text.starts_with('{') {
        problems.push(Problem::new("/metadata", "must be a JSON object"));
    } else if let Err(problem) = metadata.check() {
        problems.push(problem.under("/metadata"));
    }
    Some(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (Option<Json>, Vec<Problem>) {
        let mut problems = Vec::new();
        (check_metadata(Some(Json::trusted(text)), &mut problems), problems)
    }

    #[test]
    fn metadata_is_an_object_of_bounded_size() {
        assert_eq!(check("null"), (None, Vec::new()));
        assert!(check(r#"{"user": 1}"#).1.is_empty());
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(MAX_METADATA_BYTES));
        for bad in ["[]", "1", r#"{"a": "\ud800"}"#, &long] {
            let problems = check(bad).1;
            assert!(problems[0].pointer.starts_with("/metadata"), "{problems:?}");
        }
    }
}
