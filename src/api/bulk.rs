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
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
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
    /// Id of the job, as a number. If the entry is no id, the entry itself, or `null` if it is long.
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
            Ok(id) => Self { id: Json::trusted(id.to_string()), status: 200, problem: None },
            Err((status, problem)) => {
                let id = match parse_id(entry) {
                    Ok(id) => Json::trusted(id.to_string()),
                    Err(_) if entry.as_str().len() > MAX_SHOWN_BYTES => Json::null(),
                    Err(_) => entry.clone(),
                };
                Self { id, status, problem: Some(problem) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_or_a_text_with_digits() {
        let parse = |text: &str| parse_id(&Json::trusted(text));
        for text in ["12", "\"12\"", "\"0012\""] {
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
    fn a_long_entry_is_not_repeated_in_its_answer() {
        let entry = Json::trusted(format!("\"{}\"", "x".repeat(1_000)));
        let problem = EntryProblem { problem_type: "", title: "", detail: String::new() };
        assert_eq!(JobAnswer::new(&entry, Err((422, problem))).id, Json::null());
        assert!(parse_id(&entry).unwrap_err().len() < 100);
    }
}
