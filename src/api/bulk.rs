//! Forms of `/v1/jobs/cancel`, `/v1/jobs/retry` and `/v1/jobs/delete`.

use serde::{Deserialize, Serialize};

use crate::api::problem::EntryProblem;
use crate::job::{JobId, Json};

/// Request to apply one action to many jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with ids")]
pub struct JobIds {
    /// Ids of the jobs, as numbers or as texts. An entry that is no id is refused by itself.
    pub ids: Vec<Json>,
}

/// Maximum length of an entry that is repeated in the answer, in bytes.
const MAX_SHOWN_BYTES: usize = 64;

/// Reads an entry of [`JobIds::ids`]: a number such as `12`, or a text such as `"12"`.
///
/// # Errors
/// Returns a description of the problem if the entry is not the id of a job.
pub fn parse_id(entry: &Json) -> Result<JobId, String> {
    let text = entry.as_str();
    let digits = entry.read::<String>().unwrap_or_else(|_no_string| text.to_owned());
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(id) if is_number && id > JobId(0) => Ok(id),
        _ => {
            let shown = if text.len() > MAX_SHOWN_BYTES { "a long text" } else { text };
            Err(format!("{shown} is not the id of a job, which is a whole number of 1 or more"))
        }
    }
}

/// Results of the action, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobAnswers {
    /// One answer for each job.
    pub answers: Vec<JobAnswer>,
}

/// Result of the action for one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobAnswer {
    /// Id of the job, as a number. If the entry is no id, the entry itself, or `null` if it is long or
    /// no JSON that every reader takes.
    pub id: Json,
    /// HTTP status that the action alone would have had.
    pub status: u16,
    /// Why the action was refused; absent if it was applied.
    #[serde(flatten)]
    pub problem: Option<EntryProblem>,
}

impl JobAnswer {
    /// Returns the answer for an entry to which the action was applied, or for which it was refused
    /// with a status and a problem.
    pub fn new(entry: &Json, result: Result<JobId, (u16, EntryProblem)>) -> Self {
        match result {
            Ok(id) => Self { id: number(id), status: 200, problem: None },
            Err((status, problem)) => {
                let id = parse_id(entry).map_or_else(|_| shown(entry), number);
                Self { id, status, problem: Some(problem) }
            }
        }
    }
}

fn number(id: JobId) -> Json {
    Json::trusted(id.to_string())
}

/// Returns an entry that is no id as the answer shows it.
fn shown(entry: &Json) -> Json {
    let is_short = entry.as_str().len() <= MAX_SHOWN_BYTES;
    let checked = if is_short { Json::checked(entry.as_str()).ok() } else { None };
    checked.unwrap_or_else(Json::null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_or_a_text_with_digits() {
        let parse = |text: &str| parse_id(&Json::trusted(text));
        for text in ["12", "\"12\"", "\"0012\"", "\"\\u0031\\u0032\""] {
            assert_eq!(parse(text), Ok(JobId(12)), "{text}");
        }
        assert_eq!(parse("9223372036854775807"), Ok(JobId(i64::MAX)));
        for text in [
            "0",
            "-1",
            "1.5",
            "1.0",
            "1e3",
            "null",
            "true",
            "[1]",
            "{}",
            "\"\"",
            "\"x\"",
            "\"+1\"",
            "\" 1\"",
            "\"",
            "9223372036854775808",
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.starts_with(&format!("{text} is not the id of a job")), "{why}");
        }
    }

    #[test]
    fn an_entry_that_is_long_or_unreadable_is_not_repeated_in_its_answer() {
        let detail = String::new();
        let problem = EntryProblem { problem_type: "", title: "", detail, errors: Vec::new() };
        for text in [format!("\"{}\"", "x".repeat(1_000)), "\"\\ud800\"".into(), "1e400".into()] {
            let entry = Json::trusted(text);
            assert_eq!(JobAnswer::new(&entry, Err((422, problem.clone()))).id, Json::null());
            assert!(parse_id(&entry).unwrap_err().len() < 100);
        }
    }
}
