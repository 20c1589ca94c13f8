//! Values of single columns.

use std::fmt::Display;

use crate::job::queue::InvalidName;
use crate::job::{Lane, QueueName, State, Tag};
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
