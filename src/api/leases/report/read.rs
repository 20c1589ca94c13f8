//! Reads reports from JSON: what can be understood is taken, and what is missing is named.

use serde_json::value::RawValue;

use crate::api::leases::report::fields::fields;
use crate::api::leases::report::{LeaseAction, LeaseReport, UnusableResult, lenient};
use crate::job::JobId;
use crate::job::lease::LeaseToken;
use crate::job::payload::Json;
use crate::job::problem::repair::{Repair, repair};
use crate::job::problem::{CountedList, Problem, parse_json, parse_json_list};

/// Names of the fields of a report, in the order in which `LeaseReport::from_fields` takes them.
const FIELDS: [&str; 12] = [
    "id",
    "action",
    "lease_token",
    "result",
    "error",
    "retryable",
    "retry_in",
    "counts",
    "begun",
    "lease",
    "progress",
    "log",
];

/// Maximum size of a text that is repaired, in bytes. It is larger than the largest result by default,
/// and than the log and all texts of a failure that are kept.
const MAX_REPAIRED_BYTES: usize = 8 << 20;

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
        check_repairable(text, &problem)?;
        let read = |how| {
            let repaired = repair(text, how);
            let value = parse_json::<&RawValue>(repaired.as_bytes());
            value.map(|value| Self::from_text(value.get()))
        };
        let mut report = read(Repair::Replace).map_err(|_still_invalid| problem.clone())?;
        if report.result.is_some() {
            let marked = read(Repair::Mark).map_err(|_still_invalid| problem.clone())?;
            report.take_result(marked, &problem);
        }
        Ok(report)
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
        check_repairable(text, &problem)?;
        let read = |how| -> Result<CountedList<Self>, Problem> {
            let repaired = repair(text, how);
            let list = parse_json_list::<&RawValue>(repaired.as_bytes(), max)?;
            let values = list.values.iter().map(|value| Self::from_text(value.get())).collect();
            Ok(CountedList { values, count: list.count })
        };
        let mut reports = read(Repair::Replace).map_err(|_still_invalid| problem.clone())?;
        if reports.values.iter().any(|report| report.result.is_some()) {
            let marked = read(Repair::Mark).map_err(|_still_invalid| problem.clone())?;
            for (report, marked) in reports.values.iter_mut().zip(marked.values) {
                report.take_result(marked, &problem);
            }
        }
        Ok(reports)
    }

    /// Returns a report that only says that it cannot be understood.
    pub fn unreadable(problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    /// Takes the result of a report that was repaired from the same report with its repaired values
    /// marked, because a result is stored unchanged or not at all.
    fn take_result(&mut self, marked: Self, problem: &Problem) {
        let (Some(marked), Some(repaired)) = (marked.result, self.result.take()) else { return };
        match Json::checked(marked.as_str()) {
            Ok(result) => self.result = Some(result),
            Err(_) => {
                let text = repaired.as_str().to_owned();
                let reason = format!("the report is not valid JSON: {}", problem.detail);
                self.unusable_result = Some(UnusableResult { text, reason });
            }
        }
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
        let [
            id,
            action,
            token,
            result,
            error,
            retryable,
            retry_in,
            counts,
            begun,
            lease,
            progress,
            log,
        ] = found;
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
            counts: counts.and_then(lenient::boolean),
            begun: begun.and_then(lenient::boolean),
            lease: lease.and_then(lenient::span),
            progress: progress.and_then(lenient::progress),
            log: log.and_then(lenient::lines),
            problems,
        }
    }
}

/// Refuses a text that is too large to be repaired: a repair can make it six times as large.
fn check_repairable(text: &[u8], problem: &Problem) -> Result<(), Problem> {
    if text.len() <= MAX_REPAIRED_BYTES { Ok(()) } else { Err(problem.clone()) }
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

/// Returns a whole number, which may be in a string or have a fraction of zero: some languages write
/// every number as `1.0`.
fn whole_number(value: &str) -> Option<i64> {
    let text = lenient::text(value)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    whole.parse().ok().filter(|_| fraction.bytes().all(|digit| digit == b'0'))
}

fn action_named(value: &str) -> Option<LeaseAction> {
    serde_json::from_str(&value.to_ascii_lowercase()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_large_to_be_repaired_is_refused() {
        let text = |len: usize| format!(r#"{{"error": NaN, "log": "{}"}}"#, "x".repeat(len));
        assert!(LeaseReport::read(text(1 << 20).as_bytes()).is_ok());
        assert!(LeaseReport::read(text(9 << 20).as_bytes()).is_err());
        let list = format!("[{}]", text(9 << 20));
        assert!(LeaseReport::read_list(list.as_bytes(), 9).is_err());
    }
}
