//! Reads reports from JSON: what can be understood is taken, and what is missing is named.

use serde_json::value::RawValue;

use crate::api::leases::report::fields::fields;
use crate::api::leases::report::repair::{Repair, repair};
use crate::api::leases::report::{LeaseAction, LeaseReport, UnusableResult, lenient};
use crate::job::JobId;
use crate::job::lease::LeaseToken;
use crate::job::payload::Json;
use crate::job::problem::{CountedList, Problem, parse_json, parse_json_list};

/// Names of the fields of a report, in the order in which `LeaseReport::from_fields` takes them.
const FIELDS: [&str; 11] = [
    "id",
    "action",
    "lease_token",
    "result",
    "error",
    "retryable",
    "retry_in",
    "begun",
    "lease",
    "progress",
    "log",
];

impl LeaseReport {
    /// Reads one report.
    ///
    /// # Errors
    /// Returns an error if the text is not JSON, even after it was repaired.
    pub fn read(text: &[u8]) -> Result<Self, Problem> {
        // The usual case needs only one pass over the text.
        if let Ok(text) = std::str::from_utf8(text)
            && let Ok(found) = fields(text, FIELDS)
        {
            return Ok(Self::from_fields(found));
        }
        let problem = match parse_json::<&RawValue>(text) {
            Ok(value) => return Ok(Self::from_text(value.get())),
            Err(problem) => problem,
        };
        let repaired = repair(text, Repair::Replace);
        let marked = repair(text, Repair::Mark);
        match (
            parse_json::<&RawValue>(repaired.as_bytes()),
            parse_json::<&RawValue>(marked.as_bytes()),
        ) {
            (Ok(repaired), Ok(marked)) => {
                Ok(Self::from_repaired(repaired.get(), marked.get(), &problem))
            }
            _ => Err(problem),
        }
    }

    /// Reads an array of reports, of which only the first `max` are kept.
    ///
    /// # Errors
    /// Returns an error if the text is not a JSON array, even after it was
    /// repaired.
    pub fn read_list(text: &[u8], max: usize) -> Result<CountedList<Self>, Problem> {
        let problem = match parse_json_list::<&RawValue>(text, max) {
            Ok(CountedList { values, count }) => {
                let values = values.iter().map(|value| Self::from_text(value.get())).collect();
                return Ok(CountedList { values, count });
            }
            Err(problem) => problem,
        };
        let repaired = repair(text, Repair::Replace);
        let marked = repair(text, Repair::Mark);
        let (Ok(repaired), Ok(marked)) = (
            parse_json_list::<&RawValue>(repaired.as_bytes(), max),
            parse_json_list::<&RawValue>(marked.as_bytes(), max),
        ) else {
            return Err(problem);
        };
        let pairs = repaired.values.iter().zip(&marked.values);
        let report = |(repaired, marked): (&&RawValue, &&RawValue)| {
            Self::from_repaired(repaired.get(), marked.get(), &problem)
        };
        Ok(CountedList { values: pairs.map(report).collect(), count: repaired.count })
    }

    /// Returns a report that only says that it cannot be understood.
    pub fn unreadable(problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    /// Reads a report that was repaired. The result is read from the text in which repaired values
    /// are marked, because a result is stored unchanged or not at all.
    fn from_repaired(repaired: &str, marked: &str, problem: &Problem) -> Self {
        let mut report = Self::from_text(repaired);
        if repaired == marked {
            return report;
        }
        let marked = Self::from_text(marked).result;
        if let (Some(marked), Some(repaired)) = (marked, report.result.take()) {
            match Json::checked(marked.as_str()) {
                Ok(result) => report.result = Some(result),
                Err(_) => {
                    let text = repaired.as_str().to_owned();
                    let reason = format!("the report is not valid JSON: {}", problem.detail);
                    report.unusable_result = Some(UnusableResult { text, reason });
                }
            }
        }
        report
    }

    /// Reads a report from a JSON text.
    fn from_text(text: &str) -> Self {
        match fields(text, FIELDS) {
            Ok(found) => Self::from_fields(found),
            Err(_) => {
                let problem = "must be an object with id, action and lease_token";
                Self::unreadable(Problem::new("", problem))
            }
        }
    }

    /// Reads a report from the JSON texts of its fields.
    fn from_fields(found: [Option<&str>; FIELDS.len()]) -> Self {
        let [id, action, token, result, error, retryable, retry_in, begun, lease, progress, log] =
            found;
        let mut problems = Vec::new();
        let integer = "must be a whole number";
        Self {
            id: required("/id", id, integer, whole_number, &mut problems).map(JobId),
            action: required("/action", action, LeaseAction::EXPECTED, action_named, &mut problems),
            lease_token: required("/lease_token", token, integer, whole_number, &mut problems)
                .map(LeaseToken),
            // Any JSON text; it is validated when the report is checked.
            result: result.map(Json::trusted),
            unusable_result: None,
            error: error.map(lenient::error),
            retryable: retryable.and_then(lenient::boolean),
            retry_in: retry_in.and_then(lenient::span),
            begun: begun.and_then(lenient::boolean),
            lease: lease.and_then(lenient::span),
            progress: progress.and_then(lenient::progress),
            log: log.and_then(lenient::lines),
            problems,
        }
    }
}

/// Reads a field without which a report cannot be applied. `null` counts as missing.
fn required<T>(
    pointer: &str,
    value: Option<&str>,
    expected: &str,
    read: fn(&str) -> Option<T>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let value = value.filter(|value| *value != "null")?;
    let found = read(value);
    if found.is_none() {
        problems.push(Problem::new(pointer, expected));
    }
    found
}

/// Returns a whole number, which may be in a string.
fn whole_number(value: &str) -> Option<i64> {
    match value.starts_with('"') {
        false => value.parse().ok(),
        true => lenient::text(value)?.parse().ok(),
    }
}

fn action_named(value: &str) -> Option<LeaseAction> {
    serde_json::from_str(value).ok()
}
