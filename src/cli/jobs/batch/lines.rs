//! The lines of a batch file, and error messages that name the line at fault.

use crate::cli::error::CliError;
use crate::job::Json;
use crate::job::problem::Problem;

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
        let CliError::Refused(mut refusal) = error else { return error };
        let fields = std::mem::take(&mut refusal.problem.errors).into_iter();
        let errors: Vec<Problem> = fields.map(|field| self.locate(field)).collect();
        // With a single error the server's detail repeats its pointer, so the detail is replaced.
        if let [only] = errors.as_slice() {
            refusal.problem.detail = Some(format!("{}: {}", only.pointer, only.detail));
        }
        refusal.problem.errors = errors;
        CliError::Refused(refusal)
    }

    fn locate(&self, field: Problem) -> Problem {
        let found = field.pointer.strip_prefix("/jobs/").and_then(|path| {
            let (index, inner) = path.find('/').map_or((path, ""), |slash| path.split_at(slash));
            let number = self.numbers.get(index.parse::<usize>().ok()?)?;
            Some((number, inner))
        });
        let Some((number, inner)) = found else { return field };
        let inner = if inner.is_empty() { String::new() } else { format!(" {inner}") };
        // The column in the detail counts from the start of the whole batch, so it is dropped.
        let (what, _) = split_position(&field.detail);
        Problem::new(format!("line {number}{inner}"), what)
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
    use crate::api::problem::ProblemDetails;
    use crate::cli::refusal::Refusal;

    fn refusal(detail: Option<&str>, errors: Vec<Problem>) -> CliError {
        let detail = detail.map(str::to_owned);
        let problem = ProblemDetails { status: 422, detail, errors, ..ProblemDetails::default() };
        CliError::Refused(Refusal { problem, retry_after: None })
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
            Problem::new("/jobs/1/kind", "unknown kind"),
            Problem::new("/jobs/0", "missing field at line 1 column 25"),
            Problem::new("/name", "too long"),
        ];
        let CliError::Refused(located) = lines.locate_errors(refusal(None, errors)) else {
            panic!()
        };
        let expected = [
            Problem::new("line 3 /kind", "unknown kind"),
            Problem::new("line 1", "missing field"),
            Problem::new("/name", "too long"),
        ];
        assert_eq!(located.problem.errors, expected);
    }

    #[test]
    fn a_single_refusal_is_reported_once() {
        let lines = BatchLines::read(b"\n{\"kind\": \"nope\"}").unwrap();
        let errors = vec![Problem::new("/jobs/0/kind", "unknown kind")];
        let refusal = refusal(Some("/jobs/0/kind: unknown kind"), errors);
        let text = lines.locate_errors(refusal).to_string();
        let expected = "the server refused the request with status 422: line 2 /kind: unknown kind";
        assert_eq!(text, expected);
    }
}
