//! A list in a request body: a JSON array, or one JSON value per line (NDJSON).

use serde::de::DeserializeOwned;

use crate::http::problem::Rejection;
use crate::http::request::body::{BodyFormat, status_of};
use crate::job::problem::{CountedList, Problem, parse_json, parse_json_list};

/// The values of a list, in order.
#[derive(Debug)]
pub(in crate::http) struct JsonList<T> {
    pub(in crate::http) values: Vec<T>,
    pub(in crate::http) lines: LineNumbers,
    /// Number of all values. Only the first are kept, see [`JsonList::read`].
    pub(in crate::http) count: usize,
}

/// The line number of each value, from 1; empty if the body is an array.
#[derive(Debug, Default)]
pub(in crate::http) struct LineNumbers(Vec<usize>);

impl<T: DeserializeOwned> JsonList<T> {
    /// Parses a body in either format. Blank lines are ignored. Only the first `max` values are kept,
    /// because a list that is too long would take many times the memory of its text.
    pub(in crate::http) fn read(
        format: BodyFormat,
        body: &[u8],
        max: usize,
    ) -> Result<Self, Rejection> {
        match format {
            BodyFormat::Json => {
                let CountedList { values, count } = parse_json_list(body, max)
                    .map_err(|problem| Rejection::invalid(status_of(body), vec![problem]))?;
                Ok(Self { values, lines: LineNumbers::default(), count })
            }
            BodyFormat::Lines => Self::read_lines(body, max),
        }
    }

    fn read_lines(body: &[u8], max: usize) -> Result<Self, Rejection> {
        let mut read = Self { values: Vec::new(), lines: LineNumbers::default(), count: 0 };
        for (number, line) in lines(body) {
            read.count += 1;
            if read.count > max {
                continue;
            }
            match parse_json(line) {
                Ok(value) => read.values.push(value),
                Err(problem) => {
                    let problem = problem.under(&format!("/{}", read.values.len()));
                    let problem = at_line(problem, number);
                    return Err(Rejection::invalid(status_of(line), vec![problem]));
                }
            }
            read.lines.0.push(number);
        }
        Ok(read)
    }
}

/// Returns the lines of a body that are not blank, each with its number, from 1.
pub(in crate::http) fn lines(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = (1..).zip(body.split(|byte| *byte == b'\n'));
    lines.filter(|(_, line)| !line.trim_ascii().is_empty())
}

impl LineNumbers {
    /// Adds the line number to each problem, unless the body is an array.
    pub(in crate::http) fn locate(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let add_line = |problem: Problem| {
            let index = problem.pointer.split('/').nth(1).and_then(|step| step.parse().ok());
            match index.and_then(|index: usize| self.0.get(index)) {
                Some(number) => at_line(problem, *number),
                None => problem,
            }
        };
        problems.into_iter().map(add_line).collect()
    }
}

/// Puts the line number before the detail and removes the parser's position from it: `message at line 1
/// column 7` becomes `line 3, column 7: message`. The parser sees a single line, so its line is always 1.
pub(in crate::http) fn at_line(problem: Problem, number: usize) -> Problem {
    if problem.is_omission() {
        return problem;
    }
    let detail = problem.detail.as_str();
    let (what, column) = detail.rsplit_once(" at line 1 column ").unwrap_or((detail, ""));
    let column = if column.is_empty() { String::new() } else { format!(", column {column}") };
    let located = format_args!("line {number}{column}: {what}");
    Problem::new(problem.pointer.as_str(), located)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Submission;

    #[test]
    fn a_problem_is_named_by_its_own_line() {
        let body = b"{\"kind\": \"echo\"}\n\n{\"kind\": 1}\n";
        let rejection = JsonList::<Submission>::read(BodyFormat::Lines, body, 10).unwrap_err();
        assert!(rejection.to_string().starts_with("/1/kind: line 3, column 10: "), "{rejection}");
        assert!(!rejection.to_string().contains("line 1"), "{rejection}");
    }
}
