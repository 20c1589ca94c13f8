//! The lines of a batch, and what is wrong with which of them.

use crate::cli::error::CliError;
use crate::cli::refusal::{Refusal, RefusedField};
use crate::job::Json;

/// Submissions, and in which line each stands.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) jobs: Vec<Json>,
    numbers: Vec<usize>,
}

impl Lines {
    /// Reads one JSON value a line. Blank lines are passed over.
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
                let (what, column) = place(&problem.detail);
                CliError::Usage(format!("line {number}{column} is not JSON: {what}"))
            })?;
            lines.jobs.push(json);
            lines.numbers.push(number);
        }
        Ok(lines)
    }

    /// The same error, with the line of each thing that is wrong instead of its place in the batch.
    pub(super) fn name_in(&self, error: CliError) -> CliError {
        let CliError::Refused(refusal) = error else { return error };
        let errors = refusal.errors.iter().map(|field| self.named(field)).collect::<Vec<_>>();
        // Of a single error the detail says it all, in the server's words.
        let detail = match errors.as_slice() {
            [only] => Some(format!("{}: {}", only.pointer, only.detail)),
            _ => refusal.detail,
        };
        CliError::Refused(Refusal { detail, errors, ..refusal })
    }

    fn named(&self, field: &RefusedField) -> RefusedField {
        let found = field.pointer.strip_prefix("/jobs/").and_then(|rest| {
            let (index, inner) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
            let number = self.numbers.get(index.parse::<usize>().ok()?)?;
            Some((number, inner))
        });
        let Some((number, inner)) = found else { return field.clone() };
        let inner = if inner.is_empty() { String::new() } else { format!(" {inner}") };
        // The column is one in the whole batch.
        let (what, _) = place(&field.detail);
        RefusedField { pointer: format!("line {number}{inner}"), detail: what.to_owned() }
    }
}

/// What a reader of JSON says, and in which column of its line.
fn place(detail: &str) -> (&str, String) {
    match detail.rsplit_once(" at line ") {
        Some((what, place)) => {
            let column = place.split_once(" column ").map(|(_, column)| column);
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
    fn a_line_that_is_not_json_is_named() {
        let error = Lines::read(b"{}\n\n{\"kind\": }\n").unwrap_err();
        assert_eq!(error.to_string(), "line 3, column 10, is not JSON: expected value");
    }

    #[test]
    fn what_the_server_refuses_is_named_by_its_line() {
        let lines = Lines::read(b"{\"kind\": 1}\n\n{\"kind\": 2}\n").unwrap();
        let errors = vec![
            field("/jobs/1/kind", "no such kind"),
            field("/jobs/0", "missing field at line 1 column 25"),
            field("/name", "too long"),
        ];
        let refusal = Refusal { status: 422, errors, ..Refusal::default() };
        let CliError::Refused(told) = lines.name_in(CliError::Refused(refusal)) else { panic!() };
        let expected = [
            field("line 3 /kind", "no such kind"),
            field("line 1", "missing field"),
            field("/name", "too long"),
        ];
        assert_eq!(told.errors, expected);
    }

    #[test]
    fn a_single_refusal_is_told_once() {
        let lines = Lines::read(b"\n{\"kind\": \"nope\"}").unwrap();
        let errors = vec![field("/jobs/0/kind", "no such kind")];
        let detail = Some("/jobs/0/kind: no such kind".into());
        let refusal = Refusal { status: 422, errors, detail, ..Refusal::default() };
        let told = lines.name_in(CliError::Refused(refusal)).to_string();
        let expected = "the server refused the request with status 422: line 2 /kind: no such kind";
        assert_eq!(told, expected);
    }
}
