//! Job and batch IDs as command-line arguments.

use std::str::FromStr;

/// Parses the ID of a job or a batch.
pub(crate) fn parse_id<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_not_a_number| "must be a number, such as 17")
}
