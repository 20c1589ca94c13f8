//! Values of single columns.

use std::fmt::Display;

use crate::job::queue::InvalidName;
use crate::job::outcome::retry::Backoff;
use crate::job::{Lane, QueueName, Span, State, Tag};
use crate::store::error::StoreError;

/// Returns the error for a row with a value that no version of this program writes.
pub(crate) fn corrupt(row: impl Display, fault: impl Display) -> StoreError {
    StoreError::Corrupt(format!("{row} {fault}"))
}

/// Returns the lane of a job with the number `code`.
pub(crate) fn lane_of(job: i64, code: i64) -> Result<Lane, StoreError> {
    Lane::from_code(code)
        .ok_or_else(|| corrupt(format_args!("job {job}"), format_args!("is in lane {code}")))
}

/// Returns the state of a job with the number `code`.
pub(crate) fn state_of(job: i64, code: i64) -> Result<State, StoreError> {
    State::from_code(code)
        .ok_or_else(|| corrupt(format_args!("job {job}"), format_args!("is in state {code}")))
}

/// Returns the name of a queue.
pub(crate) fn queue_name(id: i64, text: &str) -> Result<QueueName, StoreError> {
    let fault = format_args!("has the invalid name {text}");
    text.parse().map_err(|InvalidName| corrupt(format_args!("queue {id}"), fault))
}

/// Returns the name of the queue that a job belongs to.
pub(crate) fn queue_of_job(job: i64, text: &str) -> Result<QueueName, StoreError> {
    let fault = format_args!("is in a queue with the invalid name {text}");
    text.parse().map_err(|InvalidName| corrupt(format_args!("job {job}"), fault))
}

/// Returns the tags of a `tags` column.
pub(crate) fn tags_of(text: Option<&str>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Returns tags in the form of their column: a JSON array, or NULL if there are none.
pub(crate) fn tags_text(tags: &[Tag]) -> Option<String> {
    if tags.is_empty() { None } else { serde_json::to_string(tags).ok() }
}

/// Returns a count that fits into 32 bits.
pub(crate) fn count_of(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Returns a backoff in the form of its column: a JSON array, or NULL for the default backoff.
pub(crate) fn backoff_text(backoff: &Backoff) -> Option<String> {
    if *backoff == Backoff::default() {
        return None;
    }
    let Backoff { initial, factor, max, jitter, max_retry_after } = backoff;
    let values = (initial.millis(), factor, max.millis(), jitter, max_retry_after.millis());
    serde_json::to_string(&values).ok()
}

/// Returns the backoff of a job from its column.
pub(crate) fn backoff_of(job: i64, text: Option<&str>) -> Result<Backoff, StoreError> {
    let Some(text) = text else { return Ok(Backoff::default()) };
    let values: (i64, f64, i64, f64, i64) = serde_json::from_str(text)
        .map_err(|error| corrupt(format_args!("job {job}"), format_args!("has the backoff {text}: {error}")))?;
    let (initial, factor, max, jitter, max_retry_after) = values;
    Ok(Backoff {
        initial: Span::from_millis(initial),
        factor,
        max: Span::from_millis(max),
        jitter,
        max_retry_after: Span::from_millis(max_retry_after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with NULL were written with these values, so they can never change.
    #[test]
    fn an_absent_backoff_is_the_one_that_the_migration_left_out() {
        let backoff = Backoff::default();
        assert_eq!(backoff_text(&backoff), None);
        let values = backoff_text(&Backoff { factor: 3.0, ..backoff }).unwrap();
        assert_eq!(values, "[1000,3.0,600000,0.2,3600000]");
        assert_eq!(backoff_of(1, Some(&values)).unwrap(), Backoff { factor: 3.0, ..backoff });
        assert!(backoff_of(1, Some("[1]")).is_err());
    }
}
