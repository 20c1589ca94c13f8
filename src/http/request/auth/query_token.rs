//! The query parameter with a token, for `EventSource`, which sends no header.

/// Name of the parameter.
pub(in crate::http) const PARAMETER: &str = "token";

/// Marks a request whose token is in its query.
pub(in crate::http) struct InQuery;
