//! Ids as arguments.

use std::str::FromStr;

/// Reads the id of a job or a batch.
pub(super) fn parse_id<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_not_a_number| "an id is a number, such as 17")
}
