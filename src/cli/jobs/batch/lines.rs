//! The lines of a batch file, and error messages that name the line at fault.

use crate::cli::error::CliError;
use crate::cli::refusal::{Refusal, RefusedField};
use crate::job::Json;

/// The submissions of a batch file, with their line numbers.
#[derive(Debug)]
pub(super) struct BatchLines {
    pub(super) jobs: Vec<Json>,
    /// Line number of each submission, counted from 1 with blank lines included.
    numbers: Vec<usize>,
}

impl BatchLines {
    /// Reads one JSON value per line and skips blank lines.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, CliError> {
        let mut lines = Self { jobs: Vec::new(), numbers: Vec::new() };
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let number = index + 1;
            let text = std::str::from_utf8(line)
                .map_err(|error| CliError::Usage(format!("line {number} is not UTF-8: {error}")))?;
            let json = Json::checked(text.trim()).map_err(|problem| {
                let (what, column) = split_position(&problem.detail);
                CliError::Usage(format!("line {number}{column} is not JSON: {what}"))
            })?;
            lines.jobs.push(json);
            lines.numbers.push(number);
        }
        Ok(lines)
    }

    /// Replaces the positions in the batch by line numbers: `/jobs/1/kind` becomes `line 3 /kind`.
    pub(super) fn locate_errors(&self, error: CliError) -> CliError {
        let CliError::Refused(refusal) = error else { return error };
        let errors = refusal.errors.iter().map(|field| self.locate(field)).collect::<Vec<_>>();
        // With a single error the server's detail repeats its pointer, so the detail is replaced.
        let detail = match errors.as_slice() {
            [only] => Some(format!("{}: {}", only.pointer, only.detail)),
            _ => refusal.detail,
        };
        CliError::Refused(Refusal { detail, errors, ..refusal })
    }

    fn locate(&self, field: &RefusedField) -> RefusedField {
        let found = field.pointer.strip_prefix("/jobs/").and_then(|path| {
            let (index, inner) = path.find('/').map_or((path, ""), |slash| path.split_at(slash));
            let number = self.numbers.get(index.parse::<usize>().ok()?)?;
            Some((number, inner))
        });
        let Some((number, inner)) = found else { return field.clone() };
        let inner = if inner.is_empty() { String::new() } else { format!(" {inner}") };
        // The column in the detail counts from the start of the whole batch, so it is dropped.
        let (what, _) = split_position(&field.detail);
        RefusedField { pointer: format!("line {number}{inner}"), detail: what.to_owned() }
    }
}

/// Splits `message at line 1 column 7` into the message and `, column 7,`.
fn split_position(detail: &str) -> (&str, String) {
    match detail.rsplit_once(" at line ") {
        Some((what, position)) => {
            let column = position.split_once(" column ").map(|(_, column)| column);
            (what, column.map(|column| format!(", column {column},")).unwrap_or_default())
        }
        None => (detail, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(pointer: &str, detail: &str) -> RefusedField {
        RefusedField { pointer: pointer.into(), detail: detail.into() }
    }

    #[test]
    fn a_line_that_is_not_json_is_reported_by_number() {
        let error = BatchLines::read(b"{}\n\n{\"kind\": }\n").unwrap_err();
        assert_eq!(error.to_string(), "line 3, column 10, is not JSON: expected value");
    }

    #[test]
    fn a_refused_submission_is_reported_by_its_line() {
        let lines = BatchLines::read(b"{\"kind\": 1}\n\n{\"kind\": 2}\n").unwrap();
        let errors = vec![
            field("/jobs/1/kind", "unknown kind"),
            field("/jobs/0", "missing field at line 1 column 25"),
            field("/name", "too long"),
        ];
        let refusal = Refusal { status: 422, errors, ..Refusal::default() };
        let CliError::Refused(located) = lines.locate_errors(CliError::Refused(refusal)) else {
            panic!()
        };
        let expected = [
            field("line 3 /kind", "unknown kind"),
            field("line 1", "missing field"),
            field("/name", "too long"),
        ];
        assert_eq!(located.errors, expected);
    }

    #[test]
    fn a_single_refusal_is_reported_once() {
        let lines = BatchLines::read(b"\n{\"kind\": \"nope\"}").unwrap();
        let errors = vec![field("/jobs/0/kind", "unknown kind")];
        let detail = Some("/jobs/0/kind: unknown kind".into());
        let refusal = Refusal { status: 422, errors, detail, ..Refusal::default() };
        let text = lines.locate_errors(CliError::Refused(refusal)).to_string();
        let expected = "the server refused the request with status 422: line 2 /kind: unknown kind";
        assert_eq!(text, expected);
    }
}
